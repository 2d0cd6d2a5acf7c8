import { Channel, invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import { asCallError } from "../errors";
import type {
  EndpointName,
  Native,
  RequestOf,
  ResponseOf,
  StreamItem,
  Transport,
} from "./transport";

/** What the desktop sends over a subscription's channel; `end` closes it. */
type ChannelItem = StreamItem | { type: "end"; error?: unknown };

/** Asks the shell; what it refuses is an error that can be shown. */
const ask = <T>(command: string, request: Record<string, unknown> = {}): Promise<T> =>
  invoke<T>(command, request).catch((error: unknown) => {
    throw asCallError(error);
  });

const native: Native = {
  chooseFolder: (start) => ask<string | null>("choose_folder", { start }),
  openExternal: (url) => ask<void>("open_external", { url }),
  openWorkspace: (run) => ask<void>("open_workspace", { run }),
  setBadge: (count) => ask<void>("set_badge", { count }),
  autostart: () => ask<boolean>("autostart"),
  setAutostart: (on) => ask<void>("set_autostart", { on }),
  saveText: (name, text) => ask<boolean>("save_text", { name, text }),
  perform: (action) => ask<void>("perform", { action }),
  startDaemon: () => ask<void>("start_daemon"),
  onOpen: (show) => listen<string>("open", (event) => show(event.payload)),
};

export function inTauri(): boolean {
  return "__TAURI_INTERNALS__" in window;
}

export function tauriTransport(): Transport {
  return {
    kind: "tauri",
    native,

    async call<N extends EndpointName>(name: N, request: RequestOf<N>) {
      try {
        return await invoke<ResponseOf<N>>("call", { name, request });
      } catch (error) {
        throw asCallError(error);
      }
    },

    events(after, run, onItems, signal) {
      return new Promise<void>((resolve, reject) => {
        let subscription: number | null = null;
        const leave = () => {
          if (subscription !== null) void invoke("unsubscribe", { subscription });
          resolve();
        };
        const channel = new Channel<ChannelItem[]>();
        channel.onmessage = (batch) => {
          const items = batch.filter((item): item is StreamItem => item.type !== "end");
          if (items.length > 0) onItems(items);
          const end = batch.find((item) => item.type === "end");
          if (end?.type === "end") end.error ? reject(asCallError(end.error)) : resolve();
        };
        signal.addEventListener("abort", leave, { once: true });
        invoke<number>("subscribe", { after, run, channel })
          .then((id) => {
            subscription = id;
            if (signal.aborted) leave();
          })
          .catch((error: unknown) => reject(asCallError(error)));
      });
    },
  };
}
