import type { LogEntry, OpView, StepView } from "../../ipc/bindings";
import { withoutName } from "./words";

export type Lane = "model" | "tool" | "verify" | "approval" | "wait";

/** One bar of the waterfall. Times in ms since epoch. */
export interface Span {
  key: string;
  lane: Lane;
  label: string;
  step: number;
  op: number | null;
  start: number;
  /** `now` of the drawing for what goes on. */
  end: number;
  open: boolean;
  failed: boolean;
  /** Still in the queue or skipped: it took no time. */
  never: boolean;
}

export interface Row extends Span {
  /** Nothing was recorded for so long before this began (ms); worth telling from 1 s on. */
  gapBefore: number;
}

const ms = (at: string): number => Date.parse(at);

function spanOfOp(op: OpView, now: number, fallback: number): Span {
  const start = op.started_at ? ms(op.started_at) : fallback;
  const over = op.state === "finished" || op.state === "failed" || op.state === "skipped";
  const lane: Lane = op.kind === "model" ? "model" : op.kind === "verify" ? "verify" : "tool";
  const endedAt = op.ended_at ? ms(op.ended_at) : null;
  const running = op.state === "started" && endedAt === null;
  return {
    key: `op${op.id}`,
    lane,
    label: op.kind === "tool" ? `${op.name} ${withoutName(op.name, op.summary)}` : op.name,
    step: op.step,
    op: op.id,
    start,
    end: Math.max(start, endedAt ?? (running ? now : start)),
    open: running || (!over && op.state !== "intended"),
    failed: op.state === "failed" || op.outcome === "error",
    never: op.started_at === null,
  };
}

interface OpenSpan {
  key: string;
  lane: Lane;
  label: string;
  step: number;
  op: number | null;
  start: number;
}

const closed = (span: OpenSpan, end: number, open: boolean): Span => ({
  ...span,
  end: Math.max(span.start, end),
  open,
  failed: false,
  never: false,
});

/** Approvals and waits have a beginning and an end in the journal, perhaps in different steps. */
function pauses(steps: readonly StepView[], now: number): Span[] {
  const spans: Span[] = [];
  const open = new Map<string, OpenSpan>();

  const begin = (id: string, span: OpenSpan) => open.set(id, span);
  const finish = (id: string, at: string) => {
    const span = open.get(id);
    if (!span) return;
    open.delete(id);
    spans.push(closed(span, ms(at), false));
  };
  const finishAll = (at: string) => {
    for (const id of [...open.keys()]) finish(id, at);
  };

  const read = (step: number, { seq, at, event }: LogEntry) => {
    const span = { key: `e${seq}`, step, start: ms(at) };
    switch (event.kind) {
      case "review_requested":
        begin(event.review.id, {
          ...span,
          lane: "approval",
          label: event.review.title,
          op: event.review.op ?? null,
        });
        break;
      case "review_decided":
      case "review_withdrawn":
      case "review_expired":
        finish(event.review, at);
        break;
      case "wait_began":
        // The review is a bar of its own.
        if (event.cause === "review") break;
        begin(`wait:${event.cause}`, { ...span, lane: "wait", label: event.cause, op: null });
        break;
      case "wait_ended":
        finish(`wait:${event.cause}`, at);
        break;
      case "op_retried":
        spans.push({
          ...closed(
            { ...span, lane: "wait", label: "retry", op: event.op },
            Math.min(event.next_at, now),
            event.next_at > now,
          ),
          failed: true,
        });
        break;
      case "completed":
      case "failed":
      case "cancelled":
        finishAll(at);
        break;
      default:
    }
  };
  for (const { step, entries } of steps) for (const entry of entries) read(step, entry);
  for (const span of open.values()) spans.push(closed(span, now, true));
  return spans;
}

/** The bars of some steps in the order they began, with the silent time before each. */
export function traceRows(steps: readonly StepView[], now: number): Row[] {
  const spans = [
    ...steps.flatMap((step) => step.ops.map((op) => spanOfOp(op, now, ms(step.at)))),
    ...pauses(steps, now),
  ].sort((a, b) => a.start - b.start || a.end - b.end || a.key.localeCompare(b.key));
  let heard = Number.POSITIVE_INFINITY;
  return spans.map((span) => {
    const gapBefore = span.start > heard ? span.start - heard : 0;
    heard = heard === Number.POSITIVE_INFINITY ? span.end : Math.max(heard, span.end);
    return { ...span, gapBefore };
  });
}

/** From where to where rows reach. */
export function extent(rows: readonly Row[]): { start: number; end: number } | null {
  if (rows.length === 0) return null;
  let start = Number.POSITIVE_INFINITY;
  let end = Number.NEGATIVE_INFINITY;
  for (const row of rows) {
    start = Math.min(start, row.start);
    end = Math.max(end, row.end);
  }
  return { start, end: Math.max(end, start + 1) };
}

/** Time spent in each lane; overlapping bars of a lane count once. */
export function laneTotals(rows: readonly Row[]): Map<Lane, number> {
  const totals = new Map<Lane, number>();
  const reach = new Map<Lane, number>();
  for (const { lane, start, end } of rows) {
    const from = Math.max(start, reach.get(lane) ?? Number.NEGATIVE_INFINITY);
    if (end > from) totals.set(lane, (totals.get(lane) ?? 0) + (end - from));
    reach.set(lane, Math.max(end, reach.get(lane) ?? Number.NEGATIVE_INFINITY));
  }
  return totals;
}

const STEPS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500]
  .flatMap((n) => [n, n * 1000])
  .concat(
    [10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400].map(
      (s) => s * 1000,
    ),
  );

/** Round marks for the axis, as ms after its start. */
export function axisMarks(lengthMs: number, most = 6): number[] {
  const sorted = [...new Set(STEPS_MS)].sort((a, b) => a - b);
  const wanted = lengthMs / most;
  const step = sorted.find((s) => s >= wanted) ?? Math.ceil(wanted / 86_400_000) * 86_400_000;
  const marks: number[] = [];
  for (let at = 0; at <= lengthMs; at += step) marks.push(at);
  return marks;
}
