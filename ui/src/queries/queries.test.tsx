import { screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import type { RunSummary } from "../ipc/bindings";
import { aFrame, ago, aRun, aStatus } from "../test/fixtures";
import { renderRoom } from "../test/render";
import { useCall, useCallMutation } from "./call";
import { entryLine } from "./entry-words";
import { gateWords } from "./gate-words";
import { THROTTLE_MS, tagsOf } from "./invalidate";
import { mergeRuns, useRuns } from "./runs";

function RunTitles() {
  const { data } = useRuns();
  const pause = useCallMutation("pause");
  return (
    <>
      <ul>
        {data?.runs.map((run) => (
          <li key={run.id}>{`${run.title}: ${run.state}`}</li>
        ))}
      </ul>
      <button type="button" onClick={() => pause.mutate({ runs: "all" })}>
        Pause
      </button>
    </>
  );
}

const list = (runs: RunSummary[], cursor: string) => ({ runs, cursor, partial: false });

test("the runs are read whole once; after an event only what changed", async () => {
  const old = aRun({ title: "Old", created_at: ago(100) });
  const { daemon } = renderRoom(<RunTitles />, { script: { runs: list([old], "s.1") } });
  await screen.findByText("Old: running");
  const fresh = aRun({ title: "New", created_at: ago(1) });
  daemon.answer("runs", list([{ ...old, state: "completed" }, fresh], "s.9"));
  daemon.push(aFrame(old.id, { kind: "completed", result: "b" }));
  await screen.findByText("Old: completed");
  expect(screen.getAllByRole("listitem").map((li) => li.textContent)).toEqual([
    "New: running",
    "Old: completed",
  ]);
  expect(daemon.requests("runs")).toEqual([{}, { since: "s.1" }]);
});

test("a change marks stale what its tags say, and the list is asked since its cursor", async () => {
  const run = aRun();
  const { daemon, user } = renderRoom(<RunTitles />, {
    script: {
      runs: ({ since }) => list(since ? [{ ...run, state: "paused" }] : [run], "s.2"),
      pause: { runs: [{ id: run.id, state: "paused" }] },
    },
  });
  await screen.findByText(/running/);
  await user.click(screen.getByRole("button", { name: "Pause" }));
  await screen.findByText(/paused/);
  expect(daemon.requests("runs").at(-1)).toEqual({ since: "s.2" });
});

test("a change and the events it makes are one question", async () => {
  const run = aRun();
  const { daemon, user } = renderRoom(<RunTitles />, {
    script: {
      runs: ({ since }) => list(since ? [{ ...run, state: "paused" }] : [run], "s.2"),
      pause: () => {
        daemon.push(aFrame(run.id, { kind: "paused", by: "user" }));
        return { runs: [{ id: run.id, state: "paused" }] };
      },
    },
  });
  await screen.findByText(/running/);
  await user.click(screen.getByRole("button", { name: "Pause" }));
  await screen.findByText(/paused/);
  // Longer than events are held back: a second question would have come.
  await new Promise((later) => setTimeout(later, 2 * THROTTLE_MS));
  expect(daemon.requests("runs")).toHaveLength(2);
});

test("a resync throws the merged list away and reads it whole", async () => {
  const { daemon } = renderRoom(<RunTitles />, {
    script: { runs: list([aRun({ title: "Of the old store" })], "old.1") },
  });
  await screen.findByText(/old store/);
  daemon.answer("runs", list([aRun({ title: "Of the new store" })], "new.1"));
  daemon.push({ type: "resync" });
  await screen.findByText(/new store/);
  await waitFor(() => expect(screen.queryByText(/old store/)).toBeNull());
  expect(daemon.requests("runs").at(-1)).toEqual({});
});

function TwoRuns() {
  useCall("logs", { run: "one" });
  useCall("logs", { run: "other" });
  useCall("status", {});
  return null;
}

test("an event of one run leaves what is known of another alone", async () => {
  const { daemon } = renderRoom(<TwoRuns />, {
    script: { logs: ({ run }) => ({ run, entries: [], next: null }), status: aStatus() },
  });
  await waitFor(() => expect(daemon.requests("logs")).toHaveLength(2));
  daemon.push(aFrame("one", { kind: "budget_warned" }));
  await waitFor(() => expect(daemon.requests("logs")).toHaveLength(3));
  expect(daemon.requests("logs").map((r) => r.run)).toEqual(["one", "other", "one"]);
});

test("many events at once are one question", async () => {
  const { daemon } = renderRoom(<TwoRuns />, {
    script: { logs: ({ run }) => ({ run, entries: [], next: null }) },
  });
  await waitFor(() => expect(daemon.requests("logs")).toHaveLength(2));
  for (let i = 0; i < 500; i++) daemon.push(aFrame("one", { kind: "noted", text: "x" }));
  await waitFor(() => expect(daemon.requests("logs")).toHaveLength(3));
  // The next event's question comes after any other there might have been.
  daemon.push(aFrame("other", { kind: "noted", text: "x" }));
  await waitFor(() => expect(daemon.requests("logs").at(-1)?.run).toBe("other"));
  expect(daemon.requests("logs").map((r) => r.run)).toEqual(["one", "other", "one", "other"]);
});

test("merging keeps the runs that did not change as they are, newest first", () => {
  const [a, b] = [aRun({ created_at: ago(10) }), aRun({ created_at: ago(20) })];
  const merged = mergeRuns(list([a, b], "s.1"), list([{ ...b, steps: 99 }], "s.2"));
  expect(merged.runs[0]).toBe(a);
  expect(merged.runs[1]?.steps).toBe(99);
  expect(merged.cursor).toBe("s.2");
  const same = mergeRuns(merged, list([], "s.3"));
  expect(same.runs).toBe(merged.runs);
});

test("what was charged makes costs stale, a decision the queue", () => {
  const tags = (item: ReturnType<typeof aFrame>) =>
    item.type === "event" ? tagsOf(item.frame) : [];
  expect(tags(aFrame("r", { kind: "review_withdrawn", review: "x", why: "" }))).toContain(
    "reviews",
  );
  const tokens = { input: 1, output: 1, cache_read: 0, cache_write: 0, cache_write_long: 0 };
  const charge = { model: "m", tokens, figure: "priced" as const };
  expect(tags(aFrame("r", { kind: "charged", charge }))).toContain("cost");
});

test("an answer without words says what it calls; a tool's end says which it was", () => {
  const tokens = { input: 1, output: 1, cache_read: 0, cache_write: 0, cache_write_long: 0 };
  const charge = { model: "m", tokens, figure: "priced" as const };
  const ended = {
    kind: "op_finished",
    op: 1,
    outcome: "ok",
    result: "b",
    summary: "shell",
  } as const;
  const entry = { seq: 1, at: ago(1), attempt: 1, text: null };
  expect(entryLine({ ...entry, event: { ...ended, charge } }).text).toBe(
    "Answered by calling shell",
  );
  expect(entryLine({ ...entry, text: "Done.", event: { ...ended, charge } }).text).toBe(
    "Answered: Done.",
  );
  expect(entryLine({ ...entry, event: ended }).text).toBe("Operation 1: shell");
});

test("a provider's limit has the same words everywhere", () => {
  expect(gateWords({ state: "open", cause: null })).toMatchObject({ tone: "good", words: "Open" });
  expect(gateWords({ state: "probing", cause: "rate_limit" }).moving).toBe(true);
  expect(gateWords({ state: "paused", cause: "rate_limit" }).words).toMatch(/^Paused .*rate limit/);
});
