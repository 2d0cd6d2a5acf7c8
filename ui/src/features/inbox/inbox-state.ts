import { create } from "zustand";
import { useConnection } from "../../stores/connection";
import type { Grouping } from "./queue";

/** What of the inbox outlives leaving the room: coming back finds the same item under the cursor. */
interface InboxState {
  selected: string | null;
  grouping: Grouping;
}

const KEY = "longhaul.inbox.grouping";

export const useInboxState = create<InboxState>(() => ({
  selected: null,
  grouping: localStorage.getItem(KEY) === "kind" ? "kind" : "run",
}));

export function setGrouping(grouping: Grouping): void {
  localStorage.setItem(KEY, grouping);
  useInboxState.setState({ grouping });
}

export const select = (selected: string | null): void => useInboxState.setState({ selected });

/** Why nothing can be decided now; undefined when it can. */
export function useWhyNot(): string | undefined {
  const lost = useConnection((s) => s.connection.state === "lost");
  return lost ? "Not connected to the daemon" : undefined;
}
