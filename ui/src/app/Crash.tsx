import type { ErrorComponentProps } from "@tanstack/react-router";
import { ErrorState } from "../components/states";

/** A room that broke. The rest of the app, and every run, goes on. */
export function Crash({ error, reset }: ErrorComponentProps) {
  return (
    <ErrorState
      title="This view broke"
      error={{
        message: error instanceof Error ? error.message : String(error),
        hint: "Nothing is lost: runs go on and everything they do is in the journal. Try again; if it breaks again, reload the window.",
      }}
      onRetry={reset}
    />
  );
}
