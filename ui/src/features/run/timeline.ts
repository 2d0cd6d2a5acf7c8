import type {
  Answer,
  Charge,
  Event,
  InterruptCause,
  LogEntry,
  MessageOrigin,
  OpError,
  OpView,
  PlanItem,
  Settlement,
  StepView,
  WaitCause,
} from "../../ipc/bindings";
import {
  BUDGET_WARNED,
  budgetWords,
  queuedWords,
  startedWords,
  suspendedWords,
  workspaceWords,
} from "./words";

/** A try that failed, and the pause before the next one. */
export interface Retry {
  at: string;
  error: OpError;
  nextAt: number;
  /** When the op was heard of again; absent while the pause lasts. */
  endedAt?: string;
}

/** A model call, a tool call or a run of the verify command, from its intent to its end. */
export interface CallItem {
  type: "call";
  key: string;
  at: string;
  op: OpView;
  /** What the model said, or what the tool answered (the journal's first 4 KiB of it). */
  text: string | null;
  /** Why the policy let it through, flagged or refused it; absent where nobody was asked. */
  rule: string | null;
  verdict: string | null;
  retries: Retry[];
  error: OpError | null;
  settlements: { at: string; settlement: Settlement }[];
  /** Why the model stopped, or a command's exit status. */
  stop: string | null;
}

export interface ReviewItem {
  type: "review";
  key: string;
  at: string;
  review: string;
  op: number | null;
  title: string;
  why: string;
  outcome:
    | { is: "open" }
    | { is: "snoozed"; until: number }
    | { is: "decided"; answer: Answer; label: string; at: string }
    | { is: "withdrawn"; why: string; at: string }
    | { is: "expired"; at: string };
  /** Decisions that were taken back, oldest first. */
  reopened: string[];
}

export interface WaitItem {
  type: "wait";
  key: string;
  at: string;
  cause: WaitCause;
  detail: string;
  until: number | null;
  endedAt: string | null;
}

export type NoteTone = "calm" | "warn" | "bad" | "good";

export interface CheckpointItem {
  type: "checkpoint";
  key: string;
  at: string;
  id: number;
  snapshot: string;
}

export type TimelineItem =
  | CallItem
  | ReviewItem
  | WaitItem
  | { type: "message"; key: string; at: string; origin: MessageOrigin; text: string }
  | { type: "briefing"; key: string; at: string; text: string }
  | CheckpointItem
  | {
      type: "interrupted";
      key: string;
      at: string;
      cause: InterruptCause;
      detail: string;
      lastAlive: number;
    }
  | { type: "switch"; key: string; at: string; backend: string; model: string | null; why: string }
  | { type: "plan"; key: string; at: string; items: PlanItem[] }
  | { type: "charge"; key: string; at: string; charge: Charge }
  | {
      type: "end";
      key: string;
      at: string;
      state: "completed" | "failed" | "cancelled";
      title: string;
      text: string | null;
    }
  | { type: "note"; key: string; at: string; tone: NoteTone; text: string };

interface Fold {
  items: TimelineItem[];
  ops: ReadonlyMap<number, OpView>;
  calls: Map<number, CallItem>;
  reviews: Map<string, ReviewItem>;
  labels: Map<string, string>;
  waits: Map<WaitCause, WaitItem>;
}

type Kind = Event["kind"];
type Of<K extends Kind> = Extract<Event, { kind: K }>;
type Handler<K extends Kind> = (fold: Fold, event: Of<K>, entry: LogEntry) => void;

const keyOf = (entry: LogEntry): string => `e${entry.seq}`;

const note =
  <K extends Kind>(words: (event: Of<K>) => string, tone: NoteTone = "calm"): Handler<K> =>
  (fold, event, entry) => {
    fold.items.push({ type: "note", key: keyOf(entry), at: entry.at, tone, text: words(event) });
  };

const nothing = (): void => {};

/** An op whose intent stands elsewhere (a step too long to be listed whole) still has its place. */
function callOf(fold: Fold, op: number, entry: LogEntry): CallItem | null {
  const known = fold.calls.get(op);
  if (known) return known;
  const view = fold.ops.get(op);
  return view ? addCall(fold, view, entry.at) : null;
}

function addCall(fold: Fold, op: OpView, at: string): CallItem {
  const call: CallItem = {
    type: "call",
    key: `op${op.id}`,
    at,
    op,
    text: null,
    rule: null,
    verdict: null,
    retries: [],
    error: null,
    settlements: [],
    stop: null,
  };
  fold.calls.set(op.id, call);
  fold.items.push(call);
  return call;
}

function endRetry(call: CallItem | null, at: string): void {
  const last = call?.retries.at(-1);
  if (last && last.endedAt === undefined) last.endedAt = at;
}

/** Before the op's view is known, its intent is all there is. */
function viewOfIntent(event: Of<"op_intended">): OpView {
  return {
    id: event.op,
    step: event.step,
    kind: event.op_kind,
    name: event.name,
    summary: event.summary,
    class: event.class,
    mode: event.mode,
    state: "intended",
    outcome: null,
    started_at: null,
    ended_at: null,
    tokens: null,
    cost_usd: null,
  };
}

const handlers: { [K in Kind]: Handler<K> } = {
  run_created: nothing,
  queued: note((e) => queuedWords(e.reason)),
  started: note((e) => startedWords(e.backend, e.model)),
  backend_switched: (fold, e, entry) => {
    const { backend, model, why } = e;
    fold.items.push({ type: "switch", key: keyOf(entry), at: entry.at, backend, model, why });
  },
  workspace_ready: note((e) => workspaceWords(e)),
  step_started: nothing,
  message_added: (fold, e, entry) => {
    const text = entry.text ?? "";
    // The briefing event before it shows the same words to the user.
    if (e.origin === "briefing" && fold.items.at(-1)?.type === "briefing") return;
    fold.items.push({ type: "message", key: keyOf(entry), at: entry.at, origin: e.origin, text });
  },
  op_intended: (fold, e, entry) => {
    const call = addCall(fold, fold.ops.get(e.op) ?? viewOfIntent(e), entry.at);
    call.rule = e.decision.rule || null;
    call.verdict = e.decision.verdict;
  },
  op_started: (fold, e, entry) => endRetry(callOf(fold, e.op, entry), entry.at),
  op_retried: (fold, e, entry) => {
    const call = callOf(fold, e.op, entry);
    endRetry(call, entry.at);
    call?.retries.push({ at: entry.at, error: e.error, nextAt: e.next_at });
  },
  op_finished: (fold, e, entry) => {
    const call = callOf(fold, e.op, entry);
    endRetry(call, entry.at);
    if (!call) return;
    call.text = entry.text ?? e.summary;
    call.stop = e.stop ?? null;
  },
  op_failed: (fold, e, entry) => {
    const call = callOf(fold, e.op, entry);
    endRetry(call, entry.at);
    if (call) call.error = e.error;
  },
  op_settled: (fold, e, entry) => {
    const call = callOf(fold, e.op, entry);
    endRetry(call, entry.at);
    call?.settlements.push({ at: entry.at, settlement: e.settlement });
  },
  noted: note((e) => e.text),
  // What a turn's calls cost is its operation's cost.
  call_sent: nothing,
  call_ended: (fold, e, entry) => {
    if (!e.detail) return;
    const text =
      e.charge?.figure === "unsettled" ? `${e.detail} (it may have been billed)` : e.detail;
    fold.items.push({ type: "note", key: keyOf(entry), at: entry.at, tone: "warn", text });
  },
  charged: (fold, e, entry) => {
    fold.items.push({ type: "charge", key: keyOf(entry), at: entry.at, charge: e.charge });
  },
  review_requested: (fold, { review }, entry) => {
    for (const choice of review.choices) {
      fold.labels.set(`${review.id}/${choice.id}`, choice.label);
    }
    const item: ReviewItem = {
      type: "review",
      key: `r${review.id}`,
      at: entry.at,
      review: review.id,
      op: review.op ?? null,
      title: review.title,
      why: review.why,
      outcome: { is: "open" },
      reopened: [],
    };
    fold.reviews.set(review.id, item);
    fold.items.push(item);
  },
  review_decided: (fold, e, entry) => {
    const item = fold.reviews.get(e.review);
    const label = fold.labels.get(`${e.review}/${e.answer.choice}`) ?? e.answer.choice;
    if (item) item.outcome = { is: "decided", answer: e.answer, label, at: entry.at };
    else stray(fold, entry, `A review of an earlier step was decided: ${label}`);
  },
  review_used: nothing,
  review_reopened: (fold, e, entry) => {
    const item = fold.reviews.get(e.review);
    if (!item) return stray(fold, entry, "A decision was taken back");
    if (item.outcome.is === "decided") item.reopened.push(item.outcome.label);
    item.outcome = { is: "open" };
  },
  review_expired: (fold, e, entry) => {
    const item = fold.reviews.get(e.review);
    if (item) item.outcome = { is: "expired", at: entry.at };
    else stray(fold, entry, "A review expired: nobody answered it");
  },
  review_asked_again: (fold, e, entry) => {
    const item = fold.reviews.get(e.review);
    if (item) item.outcome = { is: "open" };
    else stray(fold, entry, "A review that had expired was asked again");
  },
  review_snoozed: (fold, e) => {
    const item = fold.reviews.get(e.review);
    if (item) item.outcome = { is: "snoozed", until: e.until };
  },
  review_withdrawn: (fold, e, entry) => {
    const item = fold.reviews.get(e.review);
    if (item) item.outcome = { is: "withdrawn", why: e.why, at: entry.at };
    else stray(fold, entry, `A review no longer needed deciding: ${e.why}`);
  },
  wait_began: (fold, e, entry) => {
    // The review itself is shown, with how long it waited.
    if (e.cause === "review") return;
    const item: WaitItem = {
      type: "wait",
      key: keyOf(entry),
      at: entry.at,
      cause: e.cause,
      detail: e.detail,
      until: e.until ?? null,
      endedAt: null,
    };
    fold.waits.set(e.cause, item);
    fold.items.push(item);
  },
  wait_ended: (fold, e, entry) => {
    const item = fold.waits.get(e.cause);
    if (item) item.endedAt = entry.at;
    fold.waits.delete(e.cause);
  },
  checkpoint_taken: (fold, e, entry) => {
    fold.items.push({
      type: "checkpoint",
      key: keyOf(entry),
      at: entry.at,
      id: e.checkpoint,
      snapshot: e.snapshot,
    });
  },
  budget_warned: note(() => BUDGET_WARNED, "warn"),
  budget_changed: note((e) => budgetWords(e.budget)),
  plan_changed: (fold, e, entry) => {
    fold.items.push({ type: "plan", key: keyOf(entry), at: entry.at, items: e.items });
  },
  session_bound: note((e) => `The agent's session is kept by ${e.driver}`),
  verify_started: nothing,
  verify_ended: (fold, e, entry) => {
    const passed = e.passed === "ok";
    fold.items.push({
      type: "note",
      key: keyOf(entry),
      at: entry.at,
      tone: passed ? "good" : "warn",
      text: passed ? "The verify command passed" : "The verify command failed",
    });
  },
  tests_judged: note(
    (e) =>
      e.changed.length
        ? `The agent changed the tests that judge it: ${e.changed.map((c) => `${c.path} (${c.reason})`).join("; ")}`
        : "The tests that judge it are as they were",
    "warn",
  ),
  paused: note((e) => `Paused through ${e.by}`),
  interrupted: (fold, e, entry) => {
    for (const wait of fold.waits.values()) wait.endedAt = entry.at;
    fold.waits.clear();
    fold.items.push({
      type: "interrupted",
      key: keyOf(entry),
      at: entry.at,
      cause: e.cause,
      detail: e.detail,
      lastAlive: e.last_alive,
    });
  },
  briefed: (fold, _e, entry) => {
    const text = entry.text ?? "";
    fold.items.push({ type: "briefing", key: keyOf(entry), at: entry.at, text });
  },
  suspended: note((e) => suspendedWords(e.ms)),
  completed: (fold, _e, entry) => {
    // The result is what the model said last: it stands right above.
    const said = fold.items.findLast((item) => item.type === "call" && item.op.kind === "model");
    const known = said?.type === "call" && said.text === entry.text;
    end(fold, entry, "completed", "Completed", known ? null : (entry.text ?? null));
  },
  failed: (fold, e, entry) => end(fold, entry, "failed", e.message, entry.text ?? null),
  cancelled: (fold, e, entry) => end(fold, entry, "cancelled", `Cancelled through ${e.by}`, null),
  rolled_back: note((e) => `Rolled back to checkpoint ${e.to} through ${e.by}`),
  files_restored: nothing,
  apply_began: nothing,
  apply_ended: note((e) => `Not applied: ${e.why}`, "warn"),
  applied: note(
    (e) => `Applied to ${e.target}${e.commit ? ` as ${e.commit.slice(0, 10)}` : ""}`,
    "good",
  ),
  discarded: note(() => "The workspace was discarded"),
};

function stray(fold: Fold, entry: LogEntry, text: string): void {
  fold.items.push({ type: "note", key: keyOf(entry), at: entry.at, tone: "calm", text });
}

function end(
  fold: Fold,
  entry: LogEntry,
  state: "completed" | "failed" | "cancelled",
  title: string,
  text: string | null,
): void {
  // What is over waits for nothing any more.
  for (const wait of fold.waits.values()) wait.endedAt = entry.at;
  fold.waits.clear();
  fold.items.push({ type: "end", key: keyOf(entry), at: entry.at, state, title, text });
}

function apply(fold: Fold, entry: LogEntry): void {
  const handler = handlers[entry.event.kind] as Handler<Kind> | undefined;
  // A newer daemon may record kinds this window does not know: they are shown, not lost.
  if (handler) handler(fold, entry.event as Of<Kind>, entry);
  else stray(fold, entry, (entry.event as { kind: string }).kind.replaceAll("_", " "));
}

/** What happened in a step, as a person reads it: each op once, with all that became of it. */
export function timelineOf(step: StepView): TimelineItem[] {
  const fold: Fold = {
    items: [],
    ops: new Map(step.ops.map((op) => [op.id, op])),
    calls: new Map(),
    reviews: new Map(),
    labels: new Map(),
    waits: new Map(),
  };
  for (const entry of step.entries) apply(fold, entry);
  for (const op of step.ops) {
    if (!fold.calls.has(op.id)) addCall(fold, op, op.started_at ?? step.at);
  }
  return fold.items;
}
