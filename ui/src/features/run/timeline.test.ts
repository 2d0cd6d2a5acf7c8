import { describe, expect, it } from "vitest";
import type { Event, LogEntry, StepView } from "../../ipc/bindings";
import { anOp } from "../../test/fixtures";
import { type CallItem, type ReviewItem, timelineOf, type WaitItem } from "./timeline";

const T0 = Date.parse("2026-11-21T08:00:00.000Z");
const at = (second: number): string => new Date(T0 + second * 1000).toISOString();

function step(events: (Event | [Event, string])[], over: Partial<StepView> = {}): StepView {
  const entries = events.map((event, i): LogEntry => {
    const [what, text] = Array.isArray(event) ? event : [event, undefined];
    return { seq: i + 1, at: at(i), event: what, ...(text === undefined ? {} : { text }) };
  });
  return {
    step: 1,
    at: at(0),
    ended_at: null,
    entries,
    ops: [],
    truncated: false,
    undone: false,
    ...over,
  };
}

const intended = (op: number, name = "shell", rule = ""): Event => ({
  kind: "op_intended",
  op,
  step: 1,
  op_kind: name === "model" ? "model" : "tool",
  name,
  class: "at-most-once",
  mode: "gated",
  args: "a",
  digest: "d",
  summary: "cargo test",
  decision: { verdict: "allow", rule },
});

const finished = (op: number): Event => ({
  kind: "op_finished",
  op,
  outcome: "ok",
  result: "b",
  summary: "ok",
});

const review = (id: string): Event => ({
  kind: "review_requested",
  review: {
    id,
    run: "r",
    kind: "tool_call",
    title: "shell: git push",
    why: "it reaches the network",
    detail: "git push",
    choices: [{ id: "approve", label: "Approve", effect: "" }],
    requested_at: T0,
    state: "open",
  },
});

const answer = (choice: string) => ({ choice, by: "cli", at: T0 });

describe("timelineOf", () => {
  it("shows an op once, where it was intended, with all that became of it", () => {
    const items = timelineOf(
      step([intended(1), { kind: "op_started", op: 1 }, intended(2), [finished(1), "3 passed"]], {
        ops: [anOp({ id: 1, state: "finished" }), anOp({ id: 2, state: "intended" })],
      }),
    );
    expect(items.map((item) => item.key)).toEqual(["op1", "op2"]);
    expect(items[0]).toMatchObject({ text: "3 passed", op: { state: "finished" } });
  });

  it("shows each retry with its pause, ended by whatever is heard of the op next", () => {
    const retried: Event = {
      kind: "op_retried",
      op: 1,
      error: { kind: "server", message: "claude answered 500" },
      next_at: T0 + 20_000,
    };
    const items = timelineOf(
      step([
        intended(1, "model"),
        { kind: "op_started", op: 1 },
        retried,
        { kind: "op_started", op: 1 },
        retried,
      ]),
    );
    const call = items[0] as CallItem;
    expect(call.retries).toHaveLength(2);
    expect(call.retries[0]?.endedAt).toBe(at(3));
    expect(call.retries[1]?.endedAt).toBeUndefined();
  });

  it("gives a wait its end, and leaves the wait for a review to the review", () => {
    const items = timelineOf(
      step([
        { kind: "wait_began", cause: "rate_limit", until: T0 + 60_000, detail: "429" },
        { kind: "wait_began", cause: "review", detail: "" },
        { kind: "wait_ended", cause: "rate_limit" },
      ]),
    );
    expect(items).toHaveLength(1);
    expect(items[0] as WaitItem).toMatchObject({ until: T0 + 60_000, endedAt: at(2) });
  });

  it("ends open waits when the run is interrupted or over", () => {
    const wait: Event = { kind: "wait_began", cause: "offline", detail: "" };
    const interrupted: Event = {
      kind: "interrupted",
      cause: "daemon_died",
      detail: "",
      last_alive: T0,
    };
    expect(timelineOf(step([wait, interrupted]))[0]).toMatchObject({ endedAt: at(1) });
    expect(timelineOf(step([wait, { kind: "cancelled", by: "cli" }]))[0]).toMatchObject({
      endedAt: at(1),
    });
  });

  it("follows a review from asking through undoing to the decision that held", () => {
    const items = timelineOf(
      step([
        review("r1"),
        { kind: "review_decided", review: "r1", answer: answer("approve") },
        { kind: "review_reopened", review: "r1", by: "desktop" },
        { kind: "review_snoozed", review: "r1", until: T0 },
        { kind: "review_decided", review: "r1", answer: answer("reject") },
        { kind: "review_used", review: "r1" },
      ]),
    );
    expect(items).toHaveLength(1);
    const item = items[0] as ReviewItem;
    expect(item.reopened).toEqual(["Approve"]);
    expect(item.outcome).toMatchObject({ is: "decided", label: "reject", at: at(4) });
  });

  it("says that a review of an earlier step was decided", () => {
    const items = timelineOf(
      step([{ kind: "review_decided", review: "gone", answer: answer("approve") }]),
    );
    expect(items[0]).toMatchObject({
      type: "note",
      text: "A review of an earlier step was decided: approve",
    });
  });

  it("shows a recovery briefing once, though the agent is told the same words", () => {
    const items = timelineOf(
      step([
        [{ kind: "briefed", text: "x" }, "You were interrupted."],
        [{ kind: "message_added", origin: "briefing", text: "x" }, "You were interrupted."],
      ]),
    );
    expect(items.map((item) => item.type)).toEqual(["briefing"]);
  });

  it("lists ops whose intent did not fit into a step that is too long", () => {
    const items = timelineOf(step([], { ops: [anOp({ id: 9 })], truncated: true }));
    expect(items).toMatchObject([{ type: "call", key: "op9" }]);
  });

  it("shows kinds of a newer daemon instead of losing them", () => {
    const unknown = { kind: "moon_landed" } as unknown as Event;
    expect(timelineOf(step([unknown]))).toMatchObject([{ type: "note", text: "moon landed" }]);
  });

  it("keeps what failed, how a crash was settled, and how the run ended", () => {
    const items = timelineOf(
      step([
        intended(1),
        { kind: "op_settled", op: 1, settlement: { how: "in_doubt", evidence: "no exit status" } },
        { kind: "op_failed", op: 1, error: { kind: "tool", message: "timed out" } },
        [{ kind: "failed", cause: "verify", message: "'cargo test' still fails" }, "half done"],
      ]),
    );
    expect(items[0]).toMatchObject({
      error: { message: "timed out" },
      settlements: [{ settlement: { how: "in_doubt" } }],
    });
    expect(items[1]).toMatchObject({ type: "end", state: "failed", text: "half done" });
  });

  it("does not say the result twice where the model has just said it", () => {
    const items = timelineOf(
      step([
        intended(1, "model"),
        [finished(1), "It adds now."],
        [{ kind: "completed", result: "b" }, "It adds now."],
      ]),
    );
    expect(items.at(-1)).toMatchObject({ type: "end", text: null });
  });
});
