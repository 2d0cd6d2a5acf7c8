import { create } from "zustand";
import type { Connection } from "../ipc/events";

/** How the app's one event stream is. */
export const useConnection = create<{ connection: Connection; retryNow: () => void }>(() => ({
  connection: { state: "connecting" },
  retryNow: () => {},
}));

/** Why nothing can be done now; undefined when it can. */
export function useWhyNot(): string | undefined {
  const lost = useConnection((s) => s.connection.state === "lost");
  return lost ? "Not connected to the daemon" : undefined;
}
