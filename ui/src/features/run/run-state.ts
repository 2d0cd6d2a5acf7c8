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

/** Which of each run's changed files are not to be applied: those that come later are. */
export const useLeftOut = create<{ leftOut: ReadonlyMap<string, ReadonlySet<string>> }>(() => ({
  leftOut: new Map(),
}));

/** Puts files among those to apply, or takes them out. */
export function setApplied(run: string, paths: readonly string[], on: boolean): void {
  useLeftOut.setState(({ leftOut }) => {
    const next = new Set(leftOut.get(run));
    for (const path of paths) {
      if (on) next.delete(path);
      else next.add(path);
    }
    return { leftOut: new Map(leftOut).set(run, next) };
  });
}
