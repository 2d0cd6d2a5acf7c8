import {
  type ComponentProps,
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useRef,
  useState,
} from "react";
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

/** How long typing pauses before the address keeps what was typed. */
const SETTLE_MS = 250;

/**
 * A text in the address that is typed: known at once here, written into the address when the typing
 * pauses. Every change of the address renders the whole app.
 */
export function useSearchText(name: string): [string, (text: string) => void] {
  const { search, setSearch } = useNavigator();
  const kept = search[name] ?? "";
  const [text, setText] = useState(kept);
  const [seen, setSeen] = useState(kept);
  // The address changed by itself (a link, back): it is right.
  if (kept !== seen) {
    setSeen(kept);
    setText(kept);
  }
  const latest = useRef(setSearch);
  useEffect(() => {
    latest.current = setSearch;
  });
  useEffect(() => {
    if (text === kept) return;
    const timer = setTimeout(() => latest.current({ [name]: text || null }), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text, kept, name]);
  return [text, setText];
}

/** A link to a place in the app. */
export function PlaceLink({ to, ...props }: Omit<ComponentProps<"a">, "href"> & { to: Place }) {
  return <a {...props} href={hrefOf(to)} />;
}
