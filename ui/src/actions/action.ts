import type { Keys } from "../lib/keys";

/** Where in the help sheet an action stands. */
export type ActionGroup =
  | "Everywhere"
  | "Go to"
  | "Inbox"
  | "Runs"
  | "Run"
  | "New run"
  | "Costs"
  | "Health"
  | "Settings";

/** What an action is. What it does is bound by whoever can do it right now (`useAction`). */
export interface ActionDef {
  title: string;
  group: ActionGroup;
  keys?: readonly Keys[];
  /** Other words it is found by in the palette. */
  words?: string;
  /** Not offered in the palette (moving the selection and the like). */
  quiet?: true;
  /** Cannot be hit by a key that was already held when its object appeared: waits 500 ms. */
  arms?: true;
  /** Works while typing in a field too (only for combinations with mod). */
  whileTyping?: true;
}

/** Keeps the ids as literals. */
export function define<const T extends Record<string, ActionDef>>(actions: T): T {
  return actions;
}
