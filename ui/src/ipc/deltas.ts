import type { Delta, EventFrame } from "./bindings";
import { oncePerFrame } from "./frames";

/** What a model is saying right now, before the journal has it. */
export interface Streaming {
  op: number;
  text: string;
  thinking: string;
}

/** Only the end of a long answer is on screen; the journal has the whole. */
const KEPT_CHARS = 64 * 1024;

const NOTHING: readonly Streaming[] = [];

/**
 * Streaming text, outside of React's state: appending costs nothing, and components that show a run
 * are told at most once a frame.
 */
export class DeltaStore {
  readonly #runs = new Map<string, Map<number, Streaming>>();
  readonly #snapshots = new Map<string, readonly Streaming[]>();
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #changed = new Set<string>();
  readonly #tell = oncePerFrame(() => {
    const runs = [...this.#changed];
    this.#changed.clear();
    for (const run of runs) {
      this.#snapshots.delete(run);
      for (const listener of this.#listeners.get(run) ?? []) listener();
    }
  });

  append(delta: Delta): void {
    const ops = this.#runs.get(delta.run) ?? new Map<number, Streaming>();
    this.#runs.set(delta.run, ops);
    const said = ops.get(delta.op) ?? { op: delta.op, text: "", thinking: "" };
    const kind = delta.kind === "thinking" ? "thinking" : "text";
    ops.set(delta.op, { ...said, [kind]: (said[kind] + delta.text).slice(-KEPT_CHARS) });
    this.#mark(delta.run);
  }

  /** What the journal has said is no longer streaming. */
  settle({ run, entry: { event } }: EventFrame): void {
    const ops = this.#runs.get(run);
    if (!ops) return;
    switch (event.kind) {
      case "op_finished":
      case "op_failed":
      case "op_retried":
      case "op_settled":
        ops.delete(event.op);
        // An agent's own text may come before its operation is known (op 0).
        ops.delete(0);
        break;
      case "completed":
      case "failed":
      case "cancelled":
      case "interrupted":
      case "paused":
        ops.clear();
        break;
      default:
        return;
    }
    if (ops.size === 0) this.#runs.delete(run);
    this.#mark(run);
  }

  clear(): void {
    for (const run of this.#runs.keys()) this.#mark(run);
    this.#runs.clear();
  }

  /** The same array until something changed, as useSyncExternalStore wants it. */
  read(run: string): readonly Streaming[] {
    const known = this.#snapshots.get(run);
    if (known) return known;
    const ops = this.#runs.get(run);
    const snapshot = ops ? [...ops.values()] : NOTHING;
    this.#snapshots.set(run, snapshot);
    return snapshot;
  }

  subscribe(run: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(run) ?? new Set();
    this.#listeners.set(run, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(run);
    };
  }

  #mark(run: string): void {
    this.#changed.add(run);
    this.#tell();
  }
}
