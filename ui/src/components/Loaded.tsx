import type { ReactNode } from "react";
import { ErrorState, Skeleton } from "./states";

/** What is read of a query's result. */
export interface Loadable<T> {
  data: T | undefined;
  error: { message: string; hint?: string } | null;
  refetch: () => unknown;
}

/** What was asked for, once it is there; what failed and a way to try again otherwise. */
export function Loaded<T>(props: {
  query: Loadable<T>;
  /** `the runs`: stands in "Could not read the runs". */
  what: string;
  lines?: number;
  children: (data: T) => ReactNode;
}) {
  const { data, error, refetch } = props.query;
  // The last answer stays readable while asking again fails: the banner says what is wrong.
  if (data !== undefined) return props.children(data);
  if (error) {
    return (
      <ErrorState title={`Could not read ${props.what}`} error={error} onRetry={() => refetch()} />
    );
  }
  return <Skeleton lines={props.lines ?? 5} label={`Reading ${props.what}…`} />;
}
