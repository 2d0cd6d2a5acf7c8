import type { RunState } from "../ipc/bindings";

/** What a state's colour stands for; the names of `components/Badge`'s tones. */
export type StateTone = "calm" | "busy" | "good" | "warn" | "bad";

/** What of a run its words are made of. */
export interface StateOfRun {
  state: RunState;
  cause: string | null;
  open_reviews?: number;
}

const STATES: Record<RunState, string> = {
  queued: "Queued",
  running: "Running",
  waiting: "Waiting",
  paused: "Paused",
  interrupted: "Interrupted",
  verifying: "Verifying",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** The state alone, for filters. */
export const stateName = (state: RunState): string => STATES[state];

export const RUN_STATES = Object.keys(STATES) as RunState[];

const CAUSES: Record<string, string> = {
  review: "for you",
  rate_limit: "for a rate limit",
  budget: "for more budget",
  auth: "for working credentials",
  lock: "for files another run holds",
  schedule: "for its time",
  offline: "for the network",
  dependency: "for another run",
  memory: "for memory or disk",
  daemon_died: "the daemon died",
  reboot: "the machine was restarted",
  shutdown: "Longhaul was stopped",
  stalled: "nothing was heard for too long",
  agent_died: "the agent's process ended",
  unanswered: "nobody answered in time",
  backend: "the backend kept failing",
  bad_request: "the request was refused",
  spend_limit: "the provider's spend limit",
  max_wait: "the longest wait is over",
  refused: "the model declined",
  budget_ended: "ended at its budget",
  verify: "the verify command fails",
  workspace: "its files could not be used",
  agent: "the agent ended with an error",
};

/** A cause as it follows the state's word; an unknown one as it is. */
export function causeWords(cause: string): string {
  return CAUSES[cause] ?? cause.replaceAll("_", " ");
}

/** `Waiting for a rate limit`, `Interrupted: the machine was restarted`. */
export function stateWords({ state, cause }: StateOfRun): string {
  if (!cause || !["waiting", "interrupted", "failed"].includes(state)) return STATES[state];
  return state === "waiting"
    ? `${STATES[state]} ${causeWords(cause)}`
    : `${STATES[state]}: ${causeWords(cause)}`;
}

/** Whether a person has to do something before it goes on. */
export function needsYou(run: StateOfRun): boolean {
  return (run.open_reviews ?? 0) > 0 || (run.state === "waiting" && run.cause === "review");
}

export function stateTone(run: StateOfRun): StateTone {
  if (needsYou(run)) return "warn";
  switch (run.state) {
    case "running":
    case "verifying":
      return "busy";
    case "completed":
      return "good";
    case "failed":
      return "bad";
    case "interrupted":
      return "warn";
    default:
      return "calm";
  }
}

const LIVE: readonly RunState[] = ["running", "verifying"];
const ENDED: readonly RunState[] = ["completed", "failed", "cancelled"];

/** Whether it works right now. */
export const isLive = (state: RunState): boolean => LIVE.includes(state);

/** Whether it is over, as far as it goes by itself. */
export const isEnded = (state: RunState): boolean => ENDED.includes(state);

/** Whether resuming does anything; a failed run is tried again from where it stopped. */
export const canResume = (state: RunState): boolean =>
  state === "paused" || state === "interrupted" || state === "failed";

export const canPause = (state: RunState): boolean =>
  state === "queued" || state === "running" || state === "waiting" || state === "verifying";

export const canCancel = (state: RunState): boolean => !isEnded(state);
