import type { Query, QueryClient } from "@tanstack/react-query";
import { startEvents } from "../ipc/events";
import { announce } from "../stores/announcer";
import { useConnection } from "../stores/connection";
import { throttledInvalidation } from "./invalidate";
import type { Link } from "./link";

const behindOf = (run: string) => ({
  queryKey: ["steps-behind"],
  predicate: ({ queryKey: [, request] }: Query) =>
    typeof request === "object" && request !== null && "run" in request && request.run === run,
});

/** Keeps the cache true to the journal for as long as the app is open. Returns how to stop. */
export function keepLive(link: Link, client: QueryClient): () => void {
  const invalidation = throttledInvalidation(client);
  let wasLost = false;

  const readEverything = () => {
    // A merged list cannot forget runs of another store: it is thrown away, not merged into.
    client.removeQueries({ queryKey: ["runs"], type: "inactive" });
    void client.resetQueries({ queryKey: ["runs"] });
    void client.invalidateQueries();
  };

  const stream = startEvents(link.transport, link.deltas, {
    onFrames: (frames) => {
      invalidation.add(frames);
      for (const { run, entry } of frames) {
        // Steps behind the newest do not change but for this: they are undone, or count again.
        if (entry.event.kind === "rolled_back") void client.invalidateQueries(behindOf(run));
      }
      const reviews = frames.filter((f) => f.entry.event.kind === "review_requested").length;
      if (reviews > 0) {
        announce(`${reviews === 1 ? "A new review" : `${reviews} new reviews`} in the inbox`);
      }
    },
    onResync: readEverything,
    onConnection: (connection) => {
      useConnection.setState({ connection });
      if (connection.state === "lost" && !wasLost) {
        wasLost = true;
        announce("Connection to the daemon lost. What is shown may be old.", "assertive");
      } else if (connection.state === "live" && wasLost) {
        wasLost = false;
        announce("Connected to the daemon again.");
        // Events since the cursor come by themselves; failed and event-less answers do not.
        void client.invalidateQueries();
      }
    },
  });
  useConnection.setState({ retryNow: stream.retryNow });
  return () => {
    stream.stop();
    invalidation.stop();
  };
}
