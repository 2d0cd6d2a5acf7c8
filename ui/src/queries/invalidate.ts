import type { Query, QueryClient } from "@tanstack/react-query";
import { type EventFrame, type Tag, tags } from "../ipc/bindings";
import type { EndpointName } from "../ipc/client";

/** The key of a call's cached answer. */
export function callKey(name: EndpointName, request: unknown): readonly [EndpointName, unknown] {
  return [name, request];
}

function endpointOf(query: Query): EndpointName | null {
  const name = query.queryKey[0];
  return typeof name === "string" && name in tags ? (name as EndpointName) : null;
}

/** Whose a cached answer is: the request says so, or the answer itself. */
function runOf(query: Query): string | null {
  for (const document of [query.queryKey[1], query.state.data]) {
    if (typeof document !== "object" || document === null || !("run" in document)) continue;
    const { run } = document;
    if (typeof run === "string") return run;
    if (typeof run === "object" && run !== null && "id" in run) return String(run.id);
  }
  return null;
}

function isAboutAnotherRun(query: Query, run: string | null): boolean {
  const whose = run === null ? null : runOf(query);
  return whose !== null && whose !== run;
}

/** Marks stale what provides one of the tags; what is about one run only, if it is that run. */
export function invalidateTags(
  client: QueryClient,
  stale: ReadonlySet<Tag>,
  run: string | null = null,
  isMeant: (query: Query) => boolean = () => true,
): void {
  if (stale.size === 0) return;
  void client.invalidateQueries({
    predicate: (query) => {
      const name = endpointOf(query);
      if (name === null) return false;
      if (!tags[name].provides.some((tag) => stale.has(tag)) || !isMeant(query)) return false;
      return !isAboutAnotherRun(query, run);
    },
  });
}

/** What an event makes stale besides its run and the list of runs. */
export function tagsOf({ entry: { event } }: EventFrame): Tag[] {
  const stale: Tag[] = ["run", "runs"];
  if (event.kind.startsWith("review_")) stale.push("reviews");
  if ("charge" in event && event.charge) stale.push("cost");
  switch (event.kind) {
    case "run_created":
      stale.push("projects");
      break;
    case "wait_began":
    case "wait_ended":
    case "op_retried":
      stale.push("limits");
      break;
    case "completed":
    case "failed":
    case "cancelled":
      stale.push("reviews", "projects");
      break;
    default:
  }
  return stale;
}

/** Everything is read again at most this often: a busy run records many events a second. */
export const THROTTLE_MS = 400;

/** What takes the daemon longer (sums over the ledger, sizes of folders, diffs), at most this often. */
export const SLOW_THROTTLE_MS = 4000;

const SLOW: ReadonlySet<EndpointName> = new Set([
  "health",
  "cost",
  "cost_series",
  "diff",
  "activity",
  "projects",
  "project",
] satisfies EndpointName[]);

/** A search through transcripts is done when somebody searches, not whenever something happens. */
const isSearch = (query: Query): boolean => {
  const [name, request] = query.queryKey;
  return name === "runs" && typeof request === "object" && request !== null && "text" in request;
};

type Speed = "quick" | "slow";

const speedOf = (query: Query): Speed => {
  const name = endpointOf(query);
  return name !== null && SLOW.has(name) ? "slow" : "quick";
};

/** What belongs together (a change, its answer, its events) comes within this time. */
const TOGETHER_MS = 30;

/** Collects what is stale, and marks it at most once in `everyMs`. */
function collector(client: QueryClient, speed: Speed, everyMs: number) {
  const perRun = new Map<string | null, Set<Tag>>();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let dueAt = Number.POSITIVE_INFINITY;
  let lastAt = Number.NEGATIVE_INFINITY;
  const isMeant = (query: Query) => speedOf(query) === speed && !isSearch(query);

  const flush = () => {
    timer = null;
    dueAt = Number.POSITIVE_INFINITY;
    lastAt = Date.now();
    const shared = new Set<Tag>(perRun.get(null));
    perRun.delete(null);
    for (const [run, stale] of perRun) {
      for (const tag of stale) if (tag !== "run") shared.add(tag);
      // What every run is read anew for needs no word of this one.
      if (stale.has("run") && !shared.has("run")) {
        invalidateTags(client, new Set<Tag>(["run"]), run, isMeant);
      }
    }
    perRun.clear();
    invalidateTags(client, shared, null, isMeant);
  };

  const flushAt = (at: number) => {
    if (at >= dueAt) return;
    if (timer) clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(flush, Math.max(0, at - Date.now()));
  };

  const mark = (run: string | null, tags: readonly Tag[]) => {
    const stale = perRun.get(run) ?? new Set();
    perRun.set(run, stale);
    for (const tag of tags) stale.add(tag);
  };

  return {
    /** What somebody did here is read again soon, however lately something else was. */
    touch(tags: readonly Tag[]) {
      mark(null, tags);
      flushAt(Date.now() + TOGETHER_MS);
    },
    add(frames: readonly EventFrame[]) {
      for (const frame of frames) mark(frame.run, tagsOf(frame));
      flushAt(Math.max(Date.now() + TOGETHER_MS, lastAt + everyMs));
    },
    stop() {
      if (timer) clearTimeout(timer);
    },
  };
}

type Collectors = readonly ReturnType<typeof collector>[];

const collecting = new WeakMap<QueryClient, Collectors>();

function collectorsOf(client: QueryClient): Collectors {
  const known = collecting.get(client);
  if (known) return known;
  const made = [
    collector(client, "quick", THROTTLE_MS),
    collector(client, "slow", SLOW_THROTTLE_MS),
  ];
  collecting.set(client, made);
  return made;
}

/** Marks stale what a change made so, together with what its events say: it is read once. */
export function invalidateSoon(client: QueryClient, stale: readonly Tag[]): void {
  if (stale.length === 0) return;
  for (const one of collectorsOf(client)) one.touch(stale);
}

/** Marks stale what events made so, without asking more often than anybody can read. */
export function throttledInvalidation(client: QueryClient) {
  const collectors = collectorsOf(client);
  return {
    add: (frames: readonly EventFrame[]) => {
      for (const one of collectors) one.add(frames);
    },
    stop: () => {
      for (const one of collectors) one.stop();
      collecting.delete(client);
    },
  };
}
