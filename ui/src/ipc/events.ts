import type { EventFrame } from "./bindings";
import type { DeltaStore } from "./deltas";
import { asCallError, type CallError } from "./errors";
import { oncePerFrame } from "./frames";
import type { StreamItem, Transport } from "./transport/transport";

export type Connection =
  | { state: "connecting" }
  | { state: "live" }
  | { state: "lost"; since: number; nextTryAt: number; error: CallError };

export interface StreamHandlers {
  /** Recorded events, in order, at most once a frame. */
  onFrames(frames: EventFrame[]): void;
  /** The cursor is unknown: everything must be read again. */
  onResync(): void;
  onConnection(connection: Connection): void;
}

export interface EventStream {
  /** Tries at once instead of at the end of the pause. */
  retryNow(): void;
  stop(): void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** The app's one event stream: reconnects by cursor, hands out events once a frame. */
export function startEvents(
  transport: Transport,
  deltas: DeltaStore,
  handlers: StreamHandlers,
): EventStream {
  const stopping = new AbortController();
  let cursor: string | null = null;
  let waiting: EventFrame[] = [];
  let pause = FIRST_PAUSE_MS;
  let lostSince: number | null = null;
  let wake: () => void = () => {};

  const flush = oncePerFrame(() => {
    const frames = waiting;
    waiting = [];
    if (frames.length > 0 && !stopping.signal.aborted) handlers.onFrames(frames);
  });

  const take = (item: StreamItem) => {
    switch (item.type) {
      case "hello":
        cursor = item.cursor;
        pause = FIRST_PAUSE_MS;
        lostSince = null;
        handlers.onConnection({ state: "live" });
        break;
      case "event":
        cursor = item.frame.cursor;
        deltas.settle(item.frame);
        waiting.push(item.frame);
        break;
      case "delta":
        deltas.append(item.delta);
        break;
      case "resync":
        cursor = null;
        waiting = [];
        deltas.clear();
        handlers.onResync();
        break;
    }
  };

  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const connect = async () => {
    let error: CallError | null = null;
    try {
      await transport.events(
        cursor,
        null,
        (items) => {
          for (const item of items) take(item);
          flush();
        },
        stopping.signal,
      );
    } catch (thrown) {
      error = asCallError(thrown);
    }
    return error;
  };

  const live = async () => {
    handlers.onConnection({ state: "connecting" });
    while (!stopping.signal.aborted) {
      const before: string | null = cursor;
      const error = await connect();
      if (stopping.signal.aborted) return;
      // A stream that ends in good order after a resync is simply opened again.
      if (error === null && before !== null && cursor === null) continue;
      lostSince ??= Date.now();
      handlers.onConnection({
        state: "lost",
        since: lostSince,
        nextTryAt: Date.now() + pause,
        error: error ?? asCallError(new Error("The daemon closed the connection.")),
      });
      await sleep(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  };
  void live();

  return {
    retryNow: () => {
      pause = FIRST_PAUSE_MS;
      wake();
    },
    stop: () => {
      stopping.abort();
      wake();
    },
  };
}
