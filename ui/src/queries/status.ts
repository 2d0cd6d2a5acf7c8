import { useCall } from "./call";

/** How the daemon is: version, mode, slots, numbers of runs by state, open reviews. */
export function useStatus() {
  return useCall("status", {}, { everyMs: 60_000 });
}

/** How many reviews wait for a person; undefined while unknown. */
export function useOpenReviewCount(): number | undefined {
  return useStatus().data?.open_reviews;
}
