import type { Delta, Endpoints, EventFrame } from "../bindings";

export type EndpointName = keyof Endpoints;
export type RequestOf<N extends EndpointName> = Endpoints[N]["request"];
export type ResponseOf<N extends EndpointName> = Endpoints[N]["response"];

/** One message of the event stream. `resync`: the cursor is unknown, read everything again. */
export type StreamItem =
  | { type: "hello"; cursor: string }
  | { type: "event"; frame: EventFrame }
  | { type: "delta"; delta: Delta }
  | { type: "resync" };

/** What only a desktop can do. A browser has none of it. */
export interface Native {
  /** The system's folder dialog; null when dismissed. */
  chooseFolder(start: string | null): Promise<string | null>;
  /** Opens a link in the user's browser. */
  openExternal(url: string): Promise<void>;
  /** Opens the folder a run works in, in the user's file manager. */
  openWorkspace(run: string): Promise<void>;
  /** The number on the app's icon; null removes it. */
  setBadge(count: number | null): Promise<void>;
  /** Whether the app starts at login. */
  autostart(): Promise<boolean>;
  setAutostart(on: boolean): Promise<void>;
  /** Asks where, then writes a text file there; false when dismissed. */
  saveText(name: string, text: string): Promise<boolean>;
  /** Does one of the shell's own actions (`window.quit`, `daemon.stop`, which asks first). */
  perform(action: string): Promise<void>;
  /** Starts a daemon that was stopped. */
  startDaemon(): Promise<void>;
  /** A place the tray or a notification asks the window to show, like `/inbox/ID`, or an action's id. */
  onOpen(show: (target: string) => void): Promise<() => void>;
}

/** The one seam to the outside. The interface cannot tell which transport it has. */
export interface Transport {
  readonly kind: "tauri" | "http" | "fake";
  call<N extends EndpointName>(
    name: N,
    request: RequestOf<N>,
    signal?: AbortSignal,
  ): Promise<ResponseOf<N>>;
  /**
   * One connection of the event stream, from after `after` (null: from now), of one run or of all.
   * Settles when the connection is over; whoever calls it connects again.
   */
  events(
    after: string | null,
    run: string | null,
    onItems: (items: StreamItem[]) => void,
    signal: AbortSignal,
  ): Promise<void>;
  readonly native: Native | null;
}
