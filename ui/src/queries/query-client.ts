import { QueryClient } from "@tanstack/react-query";
import { asCallError } from "../ipc/errors";

/** The cache of everything the daemon said. Events say what is stale; time does not. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // The daemon is on this machine: being offline is no reason not to ask it.
        networkMode: "always",
        staleTime: Number.POSITIVE_INFINITY,
        gcTime: 10 * 60_000,
        refetchOnWindowFocus: false,
        // Only what may pass is tried again; the connection banner says why it takes time.
        retry: (failures, error) => asCallError(error).code === "unreachable" && failures < 2,
        retryDelay: 800,
      },
      mutations: { networkMode: "always", retry: false },
    },
  });
}
