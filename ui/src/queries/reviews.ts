import {
  type InfiniteData,
  type QueryClient,
  type UseInfiniteQueryResult,
  type UseQueryResult,
  useInfiniteQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import type {
  ReviewDetail,
  ReviewList,
  ReviewsRequest,
  ReviewsStatus,
  ReviewView,
} from "../ipc/bindings";
import type { CallError } from "../ipc/errors";
import { useCall } from "./call";
import { callKey } from "./invalidate";
import { useLink } from "./link";

/** A timer cannot be set for longer than this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What waits for a person, or is put off: as of now, also when it changes by the clock alone. */
export function useReviews(status: "queue" | "snoozed"): UseQueryResult<ReviewList, CallError> {
  const client = useQueryClient();
  const list = useCall("reviews", { status });
  const nextAt = list.data?.next_at ?? null;
  useEffect(() => {
    if (nextAt === null) return;
    // A little later than it says: the daemon's clock decides, not the window's.
    const due = Math.min(Math.max(0, Date.parse(nextAt) - Date.now()) + 150, LONGEST_TIMER_MS);
    const look = () =>
      // Every part of the page that shows the list has such a timer: they ask once.
      void client.invalidateQueries({ queryKey: ["reviews"] }, { cancelRefetch: false });
    const timer = setTimeout(look, due);
    return () => clearTimeout(timer);
  }, [nextAt, client]);
  return list;
}

/** What is asked for after a key waits until what is known is drawn. */
const DRAWN_MS = 50;

/** One review with what stands around it: at once what was read ahead, soon as it is now. */
export function useReviewDetail(review: string | null): UseQueryResult<ReviewDetail, CallError> {
  const [drawn, setDrawn] = useState<string | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setDrawn(review), DRAWN_MS);
    return () => clearTimeout(timer);
  }, [review]);
  return useCall(
    "review",
    { review: review ?? "" },
    { enabled: review !== null && drawn === review },
  );
}

/**
 * Reads a review ahead, so that it is there when the one before it is decided. Returns how to let
 * it be.
 */
export function useReadAhead(): (review: string) => () => void {
  const { transport } = useLink();
  const client = useQueryClient();
  return useCallback(
    (review) => {
      const request = { review };
      const read = () =>
        client.prefetchQuery({
          queryKey: callKey("review", request),
          queryFn: ({ signal }) => transport.call("review", request, signal),
        });
      const timer = setTimeout(() => void read(), DRAWN_MS);
      return () => clearTimeout(timer);
    },
    [client, transport],
  );
}

export const HISTORY_PAGE = 50;

/** Reviews that are over, newest first, a page at a time. */
export function useReviewHistory(
  status: Extract<ReviewsStatus, "decided" | "all">,
): UseInfiniteQueryResult<InfiniteData<ReviewList>, CallError> {
  const { transport } = useLink();
  return useInfiniteQuery<
    ReviewList,
    CallError,
    InfiniteData<ReviewList>,
    readonly unknown[],
    string | null
  >({
    queryKey: ["reviews", { status, pages: true }],
    initialPageParam: null,
    queryFn: ({ pageParam, signal }) => {
      const request: ReviewsRequest = { status, limit: HISTORY_PAGE, before: pageParam };
      return transport.call("reviews", request, signal);
    },
    getNextPageParam: (page) =>
      page.reviews.length < HISTORY_PAGE ? undefined : page.reviews.at(-1)?.requested_at,
  });
}

/** Puts a review into every cached queue as it is known to be, before the daemon says so. */
export function patchReview(
  client: QueryClient,
  id: string,
  change: (review: ReviewView) => ReviewView,
): void {
  const edit = (list: ReviewList | undefined) =>
    list && "reviews" in list
      ? { ...list, reviews: list.reviews.map((r) => (r.id === id ? change(r) : r)) }
      : list;
  for (const status of ["queue", "snoozed"] as const) {
    client.setQueryData<ReviewList>(callKey("reviews", { status }), edit);
  }
}
