import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { useTravel } from "../../stores/travel";
import { aDelta, aFrame, anOp, aRunView } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { aStep, detail, entries, finishes, intends, pages, RUN, room } from "../../test/run";
import { RunRoom } from "./RunRoom";

it("shows each step's operations, folded, and opens one in full", async () => {
  const { user, daemon, container } = room();
  expect(await screen.findByText("Fix the parser.")).toBeVisible();
  expect(screen.getByText(/I run the tests, step 3/)).toBeVisible();
  expect(screen.queryByText(/running 3 tests/)).toBeNull();
  const call = screen.getByRole("button", { name: /shell cargo test 3/ });
  expect(call).toHaveAttribute("aria-expanded", "false");
  await user.click(call);
  expect(await screen.findByRole("region", { name: "Result" })).toHaveTextContent(
    "running 3 tests",
  );
  expect(daemon.requests("op")).toEqual([{ run: RUN, op: 7 }]);
  await expectAccessible(container);
});

it("keeps a model's thinking folded", async () => {
  const { user } = room(
    {},
    {
      op: detail({
        op: anOp({ kind: "model" }),
        result: "x",
        blocks: [
          { kind: "thinking", text: "Perhaps the lexer…" },
          { kind: "text", text: "The lexer it is." },
        ],
      }),
    },
  );
  await screen.findByText(/step 3\./);
  const [call] = screen.getAllByRole("button", { name: /claude-sonnet-5/ });
  if (call) await user.click(call);
  expect(await screen.findByText("The lexer it is.")).toBeVisible();
  const thought = screen.getByText("Perhaps the lexer…").closest("details");
  expect(thought).not.toHaveAttribute("open");
});

it("reads only the end of a long run", async () => {
  const { daemon } = room({ steps: 20_000 });
  expect(await screen.findByText(/I run the tests, step 20000/)).toBeInTheDocument();
  expect(daemon.requests("steps")[0]).toEqual({ run: RUN, from: 20_000, count: 16 });
  expect(screen.queryByText("Fix the parser.")).toBeNull();
});

it("shows what streams in, and the journal's words once they are there", async () => {
  const model = anOp({ id: 50, step: 3, kind: "model", state: "started", ended_at: null });
  const live = aStep(3, { ended_at: null, ops: [model], entries: entries(3, [intends(model)]) });
  const { daemon } = room({}, { steps: pages(3, { 3: live }) });
  await screen.findByText(/step 2\./);
  daemon.push(aDelta(RUN, 50, "The bug is "), aDelta(RUN, 50, "in the lexer"));
  expect(await screen.findByText("The bug is in the lexer")).toBeInTheDocument();
  const done = { ...model, state: "finished" as const, outcome: "ok" };
  daemon.answer(
    "steps",
    pages(3, {
      3: aStep(3, {
        ops: [done],
        entries: entries(3, [intends(done), [finishes(done), "The bug is in the lexer."]]),
      }),
    }) as never,
  );
  daemon.push(aFrame(RUN, finishes(done)));
  expect(await screen.findByText("The bug is in the lexer.")).toBeVisible();
  await waitFor(() => expect(screen.queryByText("The bug is in the lexer")).toBeNull());
});

it("shows retries, waits, interruptions and decisions as what they are", async () => {
  const model = anOp({ id: 60, step: 3, kind: "model", name: "m-1", state: "failed" });
  const special = aStep(3, {
    ops: [model],
    entries: entries(3, [
      intends(model),
      {
        kind: "op_retried",
        op: 60,
        error: { kind: "server", message: "claude answered 500" },
        next_at: Date.now() - 1000,
      },
      { kind: "op_failed", op: 60, error: { kind: "cut", message: "the stream was cut" } },
      { kind: "wait_began", cause: "rate_limit", detail: "429 from claude" },
      { kind: "wait_ended", cause: "rate_limit" },
      { kind: "interrupted", cause: "daemon_died", detail: "", last_alive: Date.now() },
      {
        kind: "backend_switched",
        backend: "spare",
        model: "m-2",
        why: "claude was down for 6 h",
      },
    ]),
  });
  room({}, { steps: pages(3, { 3: special }) });
  expect(await screen.findByText(/claude answered 500/)).toHaveTextContent(/tried again after/);
  expect(screen.getByText("Connection cut:")).toBeVisible();
  expect(screen.getByText("Waited for a rate limit")).toBeVisible();
  expect(screen.getByText("Interrupted: the daemon died")).toBeVisible();
  expect(screen.getByText("spare · m-2 answers from here on")).toBeVisible();
});

it("shows nothing an agent wrote as anything but text", async () => {
  const evil = '<img src="http://evil/x.png"> [click](javascript:alert(1)) \u202egnp.exe';
  const step = aStep(3, {
    ops: [],
    entries: entries(3, [[{ kind: "message_added", origin: "user", text: "b" }, evil]]),
  });
  const { container } = room({}, { steps: pages(3, { 3: step }) });
  await screen.findByText(/U\+202E/);
  expect(container.querySelector("img")).toBeNull();
  expect(container.querySelector('a[href^="javascript"]')).toBeNull();
});

it("each checkpoint offers the ways back; what was undone is marked", async () => {
  const { user } = renderRoom(<RunRoom run={RUN} tab="timeline" />, {
    script: {
      show: aRunView({ id: RUN, state: "paused", steps: 3 }),
      steps: pages(3, { 2: aStep(2, { undone: true }) }),
    },
  });
  // From the mark to its step: a step's heading is another one before the step was read.
  const mark = await screen.findByText("Undone");
  const undone = mark.closest("li");
  expect(undone).toContainElement(screen.getByRole("heading", { name: "Step 2" }));
  expect(screen.getAllByText("Undone")).toHaveLength(1);
  await user.click(screen.getByRole("button", { name: "Roll back to here (cp1)" }));
  expect(useTravel.getState().travel).toEqual({ run: RUN, checkpoint: "cp1", how: "rollback" });
  await user.click(screen.getByRole("button", { name: "Resume from here (cp3)" }));
  expect(useTravel.getState().travel).toMatchObject({ checkpoint: "cp3", how: "resume" });
});

it("a rollback elsewhere marks steps that were read long ago", async () => {
  const { daemon } = renderRoom(<RunRoom run={RUN} tab="timeline" />, {
    script: { show: aRunView({ id: RUN, state: "paused", steps: 18 }), steps: pages(18) },
  });
  await screen.findByText("I run the tests, step 15.");
  daemon.answer("steps", pages(18, { 15: aStep(15, { undone: true }) }));
  daemon.push(
    aFrame(RUN, {
      kind: "rolled_back",
      to: 14,
      seq: 1,
      snapshot: "abc",
      messages: 4,
      by: "cli",
    }),
  );
  expect(await screen.findByText("Undone")).toBeVisible();
});
