import {
  keepPreviousData,
  type UseMutationResult,
  type UseQueryResult,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useCallback } from "react";
import { tags } from "../ipc/bindings";
import type { EndpointName, RequestOf, ResponseOf } from "../ipc/client";
import type { CallError } from "../ipc/errors";
import { callKey, invalidateSoon } from "./invalidate";
import { useLink } from "./link";

export interface CallOptions {
  /** Whether to ask at all. */
  enabled?: boolean;
  /** Ask again after so many ms (for what no event announces). */
  everyMs?: number;
  /** While the request changes, show the last answer instead of nothing. */
  keepPrevious?: boolean;
}

/** The daemon's answer, cached; asked again when an event or a change makes it stale. */
export function useCall<N extends EndpointName>(
  name: N,
  request: RequestOf<N>,
  options: CallOptions = {},
): UseQueryResult<ResponseOf<N>, CallError> {
  const { transport } = useLink();
  return useQuery<ResponseOf<N>, CallError>({
    queryKey: callKey(name, request),
    queryFn: ({ signal }) => transport.call(name, request, signal),
    enabled: options.enabled ?? true,
    refetchInterval: options.everyMs ?? false,
    ...(options.keepPrevious ? { placeholderData: keepPreviousData } : {}),
  });
}

export interface MutationOptions<N extends EndpointName> {
  /** Changes the cache before the answer; what it returns puts it back. */
  optimistic?: (request: RequestOf<N>) => () => void;
  onDone?: (response: ResponseOf<N>, request: RequestOf<N>) => void;
  onError?: (error: CallError, request: RequestOf<N>) => void;
}

/** A change. What it makes stale follows from the endpoint's tags. */
export function useCallMutation<N extends EndpointName>(
  name: N,
  options: MutationOptions<N> = {},
): UseMutationResult<ResponseOf<N>, CallError, RequestOf<N>, (() => void) | undefined> {
  const { transport } = useLink();
  const client = useQueryClient();
  return useMutation<ResponseOf<N>, CallError, RequestOf<N>, (() => void) | undefined>({
    mutationKey: [name],
    mutationFn: (request) => transport.call(name, request),
    onMutate: (request) => options.optimistic?.(request),
    onError: (error, request, undo) => {
      undo?.();
      options.onError?.(error, request);
    },
    onSuccess: (response, request) => options.onDone?.(response, request),
    onSettled: () => invalidateSoon(client, tags[name].invalidates),
  });
}

/**
 * A change that whoever makes it follows by itself: nothing is drawn anew because it is under way
 * or done. What it makes stale follows from the endpoint's tags.
 */
export function useSend<N extends EndpointName>(
  name: N,
): (request: RequestOf<N>) => Promise<ResponseOf<N>> {
  const { transport } = useLink();
  const client = useQueryClient();
  return useCallback(
    async (request) => {
      try {
        return await transport.call(name, request);
      } finally {
        invalidateSoon(client, tags[name].invalidates);
      }
    },
    [transport, client, name],
  );
}
