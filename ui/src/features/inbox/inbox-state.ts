import { create } from "zustand";
import type { Grouping } from "./queue";

/** What of the inbox outlives leaving the room: coming back finds the same item under the cursor. */
interface InboxState {
  selected: string | null;
  grouping: Grouping;
}

const GROUPINGS: readonly Grouping[] = ["run", "kind", "rule", "same"];
const KEY = "longhaul.inbox.grouping";

export const useInboxState = create<InboxState>(() => ({
  selected: null,
  grouping: GROUPINGS.find((by) => by === localStorage.getItem(KEY)) ?? "run",
}));

export function setGrouping(grouping: Grouping): void {
  localStorage.setItem(KEY, grouping);
  useInboxState.setState({ grouping });
}

export const select = (selected: string | null): void => useInboxState.setState({ selected });
