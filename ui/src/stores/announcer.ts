import { create } from "zustand";

interface Announcer {
  polite: string;
  assertive: string;
}

export const useAnnouncer = create<Announcer>(() => ({ polite: "", assertive: "" }));

/** Has a screen reader say it. The same words twice are said twice. */
export function announce(words: string, how: "polite" | "assertive" = "polite"): void {
  const before = useAnnouncer.getState()[how];
  useAnnouncer.setState({ [how]: before === words ? `${words}\u00a0` : words });
}
