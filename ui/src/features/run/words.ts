import type {
  Budget,
  MessageOrigin,
  OpClass,
  OpErrorKind,
  QueueReason,
  Settlement,
  WorkspaceMode,
} from "../../ipc/bindings";
import { formatUsd } from "../../lib/money";
import { count, plural } from "../../lib/numbers";
import { duration } from "../../lib/time";
import { causeWords } from "../../queries/run-words";

export const BUDGET_WARNED = "90 % of the budget is used: the agent was told to wrap up";

const QUEUED: Record<QueueReason, string> = {
  new: "Queued",
  resumed: "Resumed: queued for a slot",
  restarted: "Goes on by itself after a restart: queued for a slot",
  yielded: "Let other runs have a turn: queued for a slot",
  woken: "What it waited for is over: queued for a slot",
};

export const queuedWords = (reason: QueueReason): string => QUEUED[reason] ?? "Queued";

export const startedWords = (backend: string, model: string | null): string =>
  `Works with ${backend}${model ? ` · ${model}` : ""}`;

const MODES: Record<WorkspaceMode, string> = {
  clone: "Works in a clone",
  copy: "Works in a copy",
  "in-place": "Works in place",
};

export function workspaceWords(event: {
  mode: WorkspaceMode;
  path: string;
  branch?: string | null;
  left_out?: number;
}): string {
  const branch = event.branch ? ` on branch ${event.branch}` : "";
  const leftOut = event.left_out
    ? `; ${plural(event.left_out, "uncommitted change")} of yours left out`
    : "";
  return `${MODES[event.mode] ?? event.mode}${branch}: ${event.path}${leftOut}`;
}

export const suspendedWords = (ms: number): string =>
  `The machine slept for ${duration(ms)}; it counts for nothing`;

export function budgetWords(budget: Budget): string {
  const caps = [
    budget.max_cost ? formatUsd(budget.max_cost) : null,
    budget.max_tokens ? `${count(budget.max_tokens)} tokens` : null,
    budget.max_tool_calls ? `${count(budget.max_tool_calls)} tool calls` : null,
    budget.max_active_ms ? duration(budget.max_active_ms) : null,
  ].filter((cap) => cap !== null);
  return caps.length > 0 ? `New budget: ${caps.join(", ")}` : "The budget's caps are gone";
}

/** `Waits for the network`. */
export const waitWords = (cause: string): string => `Waits ${causeWords(cause)}`;

/** The same when it is over: `Waited for the network`. */
export const waitedWords = (cause: string): string => `Waited ${causeWords(cause)}`;

const ORIGINS: Record<MessageOrigin, string> = {
  prompt: "Task",
  user: "You",
  briefing: "Recovery briefing",
  wrap_up: "Longhaul: wrap up",
  verify: "Longhaul: verify failed",
  continue: "Longhaul: go on",
};

export const originWords = (origin: MessageOrigin): string => ORIGINS[origin] ?? origin;

const CLASSES: Record<OpClass, string> = {
  pure: "changes nothing",
  reconcilable: "can be checked after a crash",
  "at-most-once": "never repeated by itself",
};

export const classWords = (opClass: OpClass): string => CLASSES[opClass] ?? opClass;

const ERRORS: Partial<Record<OpErrorKind, string>> = {
  rate_limited: "Rate limited",
  overloaded: "Overloaded",
  offline: "Offline",
  server: "Server error",
  cut: "Connection cut",
  silent: "No answer",
  auth: "Credential refused",
  spend_limit: "Spend limit",
  bad_request: "Bad request",
  refused: "Declined",
  denied: "Refused",
  cancelled: "Cancelled",
};

export const errorWords = (kind: OpErrorKind): string => ERRORS[kind] ?? "Failed";

export function settlementWords(settlement: Settlement): string {
  switch (settlement.how) {
    case "again":
      return "After the crash: it is run again";
    case "happened":
      return `After the crash: it happened. ${settlement.evidence}`;
    case "in_doubt":
      return `After the crash nobody can tell whether it happened. ${settlement.evidence}`;
    case "skipped":
      return "After the crash: left undone by your decision";
  }
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** `08:01:27` in the user's zone; the day stands in the exact time on hover. */
export function timeOfDay(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "" : CLOCK.format(date);
}

/** A tool's summary often begins with its name, which stands beside it already. */
export const withoutName = (name: string, summary: string): string =>
  summary.startsWith(`${name} `) ? summary.slice(name.length + 1) : summary;
