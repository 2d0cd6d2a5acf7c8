import { create } from "zustand";

export type Theme = "system" | "light" | "dark";

const KEY = "longhaul.appearance";

interface Appearance {
  theme: Theme;
  /** Whether the rail is reduced to icons by the user's wish. */
  railSmall: boolean;
}

function stored(): Appearance {
  const fallback: Appearance = { theme: "system", railSmall: false };
  try {
    return { ...fallback, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as object) };
  } catch {
    return fallback;
  }
}

export const useAppearance = create<Appearance>(() => stored());

function apply({ theme }: Appearance): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

useAppearance.subscribe((appearance) => {
  localStorage.setItem(KEY, JSON.stringify(appearance));
  apply(appearance);
});
apply(useAppearance.getState());

export const setTheme = (theme: Theme): void => useAppearance.setState({ theme });
export const toggleRail = (): void => useAppearance.setState((s) => ({ railSmall: !s.railSmall }));
