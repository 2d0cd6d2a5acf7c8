import { create } from "zustand";

/** What of a run's timeline is folded open. Rows come and go while one scrolls; this stays. */
export const useOpened = create<{ opened: ReadonlySet<string> }>(() => ({ opened: new Set() }));

export function useFold(run: string, key: string): [open: boolean, toggle: () => void] {
  const id = `${run}/${key}`;
  const open = useOpened((s) => s.opened.has(id));
  const toggle = () =>
    useOpened.setState(({ opened }) => {
      const next = new Set(opened);
      if (!next.delete(id)) next.add(id);
      return { opened: next };
    });
  return [open, toggle];
}

/** What is about to be said to each run's agent: kept while one looks elsewhere in the app. */
interface Drafts {
  drafts: ReadonlyMap<string, string>;
}

export const useDrafts = create<Drafts>(() => ({ drafts: new Map() }));

export function useDraft(run: string): [text: string, set: (text: string) => void] {
  const text = useDrafts((s) => s.drafts.get(run) ?? "");
  return [text, (now) => setDraft(run, now)];
}

export function setDraft(run: string, text: string): void {
  useDrafts.setState(({ drafts }) => ({ drafts: new Map(drafts).set(run, text) }));
}

/** What of each run's changes is not to be applied (`partsOf`): what comes later is. */
export const useLeftOut = create<{ leftOut: ReadonlyMap<string, ReadonlySet<string>> }>(() => ({
  leftOut: new Map(),
}));

/** Puts parts of the changes among those to apply, or takes them out. */
export function setApplied(run: string, parts: readonly string[], on: boolean): void {
  useLeftOut.setState(({ leftOut }) => {
    const next = new Set(leftOut.get(run));
    for (const part of parts) {
      if (on) next.delete(part);
      else next.add(part);
    }
    return { leftOut: new Map(leftOut).set(run, next) };
  });
}
