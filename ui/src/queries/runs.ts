import {
  type QueryClient,
  type UseQueryResult,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useMemo, useSyncExternalStore } from "react";
import type { RunList, RunSummary } from "../ipc/bindings";
import type { Transport } from "../ipc/client";
import type { Streaming } from "../ipc/deltas";
import type { CallError } from "../ipc/errors";
import { callKey } from "./invalidate";
import { useLink } from "./link";

/** All runs are one cached answer: read whole once, then only what changed. */
export const ALL_RUNS = callKey("runs", {});

const newestFirst = (a: RunSummary, b: RunSummary): number =>
  a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : a.id < b.id ? 1 : -1;

/** The list with the changed runs put in; runs that did not change stay the same objects. */
export function mergeRuns(before: RunList, changed: RunList): RunList {
  if (changed.runs.length === 0) return { ...before, cursor: changed.cursor };
  const fresh = new Map(changed.runs.map((run) => [run.id, run]));
  const runs = before.runs.map((run) => {
    const now = fresh.get(run.id);
    if (!now) return run;
    fresh.delete(run.id);
    return now;
  });
  if (fresh.size === 0) return { ...before, runs, cursor: changed.cursor };
  const all = [...fresh.values(), ...runs].sort(newestFirst);
  return { ...before, runs: all, cursor: changed.cursor };
}

async function readRuns(transport: Transport, client: QueryClient): Promise<RunList> {
  const known = client.getQueryData<RunList>(ALL_RUNS);
  if (!known?.cursor) return transport.call("runs", {});
  return mergeRuns(known, await transport.call("runs", { since: known.cursor }));
}

/** Every run, newest first, always as of the last event. */
export function useRuns(): UseQueryResult<RunList, CallError> {
  const { transport } = useLink();
  const client = useQueryClient();
  return useQuery<RunList, CallError>({
    queryKey: ALL_RUNS,
    queryFn: () => readRuns(transport, client),
    // Comparing ten thousand runs field by field costs more than it saves: merging keeps identity.
    structuralSharing: false,
  });
}

/** One run as the list knows it; undefined while unknown. */
export function useRunSummary(id: string): RunSummary | undefined {
  const { data } = useRuns();
  return useMemo(() => data?.runs.find((run) => run.id === id), [data, id]);
}

/** What the run's model is saying right now; the newest words at most once a frame. */
export function useStreaming(run: string): readonly Streaming[] {
  const { deltas } = useLink();
  return useSyncExternalStore(
    useMemo(() => (listener: () => void) => deltas.subscribe(run, listener), [deltas, run]),
    () => deltas.read(run),
  );
}
