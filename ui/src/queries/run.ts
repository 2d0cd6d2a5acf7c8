import {
  type InfiniteData,
  keepPreviousData,
  type UseInfiniteQueryResult,
  type UseQueryResult,
  useInfiniteQuery,
  useQueries,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import type {
  DiffView,
  LogPage,
  OpView,
  RunSummary,
  RunView,
  StepPage,
  StepView,
} from "../ipc/bindings";
import type { CallError } from "../ipc/errors";
import { useCall } from "./call";
import { callKey } from "./invalidate";
import { useLink } from "./link";
import { useRunSummary } from "./runs";

/** A run without its operations: small, however long the run is. */
export function useRunView(run: string): UseQueryResult<RunView, CallError> {
  return useCall("show", { run, ops: "none" });
}

/** Steps are read so many at a time, from round numbers: a screen of them, for the first to come soon. */
export const STEPS_PAGE = 16;

export const pageOf = (step: number): number => Math.floor(step / STEPS_PAGE);

const isOpen = (op: OpView): boolean => op.state === "intended" || op.state === "started";

/** Agents report operations of earlier steps late: a page with open ones is looked at again. */
const OPEN_PAGE_MS = 2000;

export interface Steps {
  /** The run's last step; undefined while unknown. Step 0 is what was before the first. */
  total: number | undefined;
  /** The step, once it is read. */
  step: (index: number) => StepView | undefined;
  error: CallError | null;
  refetch: () => void;
}

/**
 * The steps of the wanted pages. The page the run is writing to follows its events; what is
 * behind it does not change any more and is read once.
 */
export function useSteps(run: string, wanted: readonly number[]): Steps {
  const { transport } = useLink();
  const client = useQueryClient();
  // Whichever is known first: the list of runs usually is, and spares a round trip.
  const summary = useRunSummary(run)?.steps;
  const view = useRunView(run);
  const known = highest(summary, view.data?.steps);
  const tail = known === undefined ? undefined : pageOf(known);
  const tailPage = useCall(
    "steps",
    { run, from: (tail ?? 0) * STEPS_PAGE, count: STEPS_PAGE },
    { enabled: tail !== undefined },
  );
  const total = highest(known, tailPage.data?.total);
  const closed = (wanted.length > 0 ? wanted : firstPages(known)).filter(
    (page) => tail !== undefined && page >= 0 && page < tail,
  );
  const pages = useQueries({
    queries: closed.map((page) => {
      const request = { run, from: page * STEPS_PAGE, count: STEPS_PAGE };
      return {
        queryKey: ["steps-behind", request] as const,
        queryFn: ({ signal }: { signal: AbortSignal }) => transport.call("steps", request, signal),
        // The page that has just been left behind is on screen: its last state stays until then.
        placeholderData: () => client.getQueryData<StepPage>(callKey("steps", request)),
        refetchInterval: (query: { state: { data: StepPage | undefined } }) =>
          query.state.data?.steps.some((step) => step.ops.some(isOpen)) ? OPEN_PAGE_MS : false,
      };
    }),
  });

  const byPage = new Map<number, StepPage>();
  closed.forEach((page, i) => {
    const data = pages[i]?.data;
    if (data) byPage.set(page, data);
  });
  if (tail !== undefined && tailPage.data) byPage.set(tail, tailPage.data);
  const failed = [tailPage, ...pages].find((query) => query.error && query.data === undefined);
  return {
    total,
    step: (index) => {
      const page = byPage.get(pageOf(index));
      const from = page?.steps[0]?.step ?? 0;
      const found = page?.steps[index - from];
      return found?.step === index ? found : page?.steps.find((s) => s.step === index);
    },
    error: (failed?.error as CallError | null) ?? (known === undefined ? view.error : null),
    refetch: () => {
      if (known === undefined) void view.refetch();
      if (failed) void failed.refetch();
    },
  };
}

/** What is in sight at first, beside the last page: the one before it, where that is a short one. */
function firstPages(known: number | undefined): readonly number[] {
  return known !== undefined && known % STEPS_PAGE < STEPS_PAGE / 2 ? [pageOf(known) - 1] : [];
}

/** How long the pointer or the cursor rests on a run before it is read ahead. */
const REST_MS = 80;

/** Reads what a run's room shows first, once one rests on the run in a list. */
export function useReadRunAhead(): (run: Pick<RunSummary, "id" | "steps">) => void {
  const { transport } = useLink();
  const client = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(
    ({ id, steps }) => {
      const read = () => {
        const show = { run: id, ops: "none" } as const;
        const page = { run: id, from: pageOf(steps) * STEPS_PAGE, count: STEPS_PAGE };
        void client.prefetchQuery({
          queryKey: callKey("show", show),
          queryFn: ({ signal }) => transport.call("show", show, signal),
        });
        void client.prefetchQuery({
          queryKey: callKey("steps", page),
          queryFn: ({ signal }) => transport.call("steps", page, signal),
        });
      };
      clearTimeout(timer.current);
      timer.current = setTimeout(read, REST_MS);
    },
    [client, transport],
  );
}

function highest(...numbers: (number | undefined)[]): number | undefined {
  const known = numbers.filter((n) => n !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}

/** Some steps in a row, followed live. */
export function useStepRange(
  run: string,
  from: number,
  count: number,
): UseQueryResult<StepPage, CallError> {
  return useCall("steps", { run, from, count }, { keepPrevious: true });
}

/** What a long run's figures may be behind the run. */
const SLOW_MS = 5000;

/** All operations of a run: large for a long one, so read on demand and not with every event. */
export function useAllOps(run: string, live: boolean): UseQueryResult<RunView, CallError> {
  const { transport } = useLink();
  return useQuery<RunView, CallError>({
    queryKey: ["run-with-ops", run],
    queryFn: ({ signal }) => transport.call("show", { run, ops: "all" }, signal),
    refetchInterval: live ? SLOW_MS : false,
    refetchOnMount: "always",
    structuralSharing: false,
  });
}

/** What the run changed. Making it costs a pass over the workspace: not with every event. */
export function useDiff(run: string, live: boolean): UseQueryResult<DiffView, CallError> {
  const { transport } = useLink();
  return useQuery<DiffView, CallError>({
    queryKey: ["diff-of", run],
    queryFn: ({ signal }) => transport.call("diff", { run }, signal),
    refetchInterval: live ? SLOW_MS : false,
    refetchOnMount: "always",
    placeholderData: keepPreviousData,
  });
}

const LOG_PAGE = 200;

/** The raw journal from its beginning, a page at a time. */
export function useJournal(run: string): UseInfiniteQueryResult<InfiniteData<LogPage>, CallError> {
  const { transport } = useLink();
  return useInfiniteQuery<LogPage, CallError, InfiniteData<LogPage>, readonly unknown[], number>({
    queryKey: ["journal", run],
    initialPageParam: 0,
    queryFn: ({ pageParam, signal }) =>
      transport.call("logs", { run, after: pageParam, limit: LOG_PAGE }, signal),
    getNextPageParam: (page) => page.next ?? undefined,
  });
}
