import { type ComponentProps, createContext, type ReactNode, useContext } from "react";
import { hrefOf, type Place, pathOf } from "../lib/places";

/** How rooms move about, without knowing the router. */
export interface Navigator {
  go(path: string, options?: { replace?: boolean }): void;
  back(): void;
  /** The current path without its search. */
  path: string;
  /** What stands behind the `?`. */
  search: Readonly<Record<string, string>>;
  setSearch(search: Record<string, string | null>): void;
}

const NavigatorContext = createContext<Navigator | null>(null);

export function NavigatorProvider(props: { navigator: Navigator; children: ReactNode }) {
  return <NavigatorContext value={props.navigator}>{props.children}</NavigatorContext>;
}

export function useNavigator(): Navigator {
  const navigator = useContext(NavigatorContext);
  if (!navigator) throw new Error("useNavigator is used outside of the app");
  return navigator;
}

/** `go({room: "run", run: id})` */
export function useGo(): (place: Place, options?: { replace?: boolean }) => void {
  const navigator = useNavigator();
  return (place, options) => navigator.go(pathOf(place), options);
}

/** The search of the address, for filters that a link should keep. Null removes a word. */
export function useSearch(): [
  Readonly<Record<string, string>>,
  (changes: Record<string, string | null>) => void,
] {
  const navigator = useNavigator();
  return [navigator.search, navigator.setSearch];
}

/** A link to a place in the app. */
export function PlaceLink({ to, ...props }: Omit<ComponentProps<"a">, "href"> & { to: Place }) {
  return <a {...props} href={hrefOf(to)} />;
}
