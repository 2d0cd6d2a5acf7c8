import { create } from "zustand";
import type { Connection } from "../ipc/events";

/** How the app's one event stream is. */
export const useConnection = create<{ connection: Connection; retryNow: () => void }>(() => ({
  connection: { state: "connecting" },
  retryNow: () => {},
}));
