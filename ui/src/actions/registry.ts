import { useEffect, useRef } from "react";
import { create } from "zustand";
import type { ActionDef } from "./action";
import { type ActionId, actionIds, catalog } from "./catalog";

/** What an action does here and now. */
export interface Binding {
  run: () => void;
  /** False, or the reason why not: it is then shown but does nothing. */
  enabled?: boolean | string;
  /** A more exact title for the palette ("Pause “Fix the parser”"). */
  title?: string;
}

/** The binding made last wins: a dialog's over a room's, a room's over the app's. */
type Bound = Partial<Record<ActionId, { current: Binding }[]>>;

const useBound = create<{ bound: Bound }>(() => ({ bound: {} }));

function bind(id: ActionId, binding: { current: Binding }): () => void {
  const change = (edit: (list: { current: Binding }[]) => { current: Binding }[]) =>
    useBound.setState(({ bound }) => ({ bound: { ...bound, [id]: edit(bound[id] ?? []) } }));
  change((list) => [...list, binding]);
  return () => change((list) => list.filter((b) => b !== binding));
}

/** Binds an action for as long as the component is there. `null` binds nothing. */
export function useAction(id: ActionId, binding: Binding | (() => void) | null): void {
  const latest = useRef<Binding>({ run: () => {} });
  const live = binding !== null;
  useEffect(() => {
    if (binding !== null) {
      latest.current = typeof binding === "function" ? { run: binding } : binding;
    }
  });
  useEffect(() => (live ? bind(id, latest) : undefined), [id, live]);
}

/** Whether an action can be done now; a text says why not. */
export function actionState(id: ActionId): { binding: Binding; enabled: boolean | string } | null {
  const binding = useBound.getState().bound[id]?.at(-1)?.current;
  return binding ? { binding, enabled: binding.enabled ?? true } : null;
}

/** Does it, if it can be done now. Says whether it did. */
export function runAction(id: ActionId): boolean {
  const state = actionState(id);
  if (state?.enabled !== true) return false;
  state.binding.run();
  return true;
}

export function isActionId(text: string): text is ActionId {
  return text in catalog;
}

export interface OfferedAction {
  id: ActionId;
  def: ActionDef;
  title: string;
  enabled: boolean | string;
}

/** Everything that is bound now, in the catalog's order: for the palette. */
export function offeredActions(): OfferedAction[] {
  return actionIds.flatMap((id) => {
    const state = actionState(id);
    const def: ActionDef = catalog[id];
    if (!state || def.quiet) return [];
    return [{ id, def, title: state.binding.title ?? def.title, enabled: state.enabled }];
  });
}

export function definitionOf(id: ActionId): ActionDef {
  return catalog[id];
}
