import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type {
  Event,
  LogEntry,
  OpDetail,
  OpView,
  RunView,
  StepPage,
  StepView,
} from "../../ipc/bindings";
import { CallError } from "../../ipc/errors";
import type { Script } from "../../ipc/transport/fake";
import type { RunTab } from "../../lib/places";
import { useTravel } from "../../stores/travel";
import {
  aDelta,
  aDesktop,
  aFrame,
  ago,
  ahead,
  anId,
  anOp,
  aReview,
  aRunView,
} from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { RunRoom } from "./RunRoom";
import { useDrafts, useOpened } from "./run-state";

const RUN = "019a0000-0000-7000-8000-00000000abcd";

function entries(step: number, events: (Event | [Event, string])[]): LogEntry[] {
  return events.map((event, i) => {
    const [what, text] = Array.isArray(event) ? event : [event, undefined];
    const seq = step * 100 + i + 1;
    return { seq, at: ago(600 - step * 10), event: what, ...(text === undefined ? {} : { text }) };
  });
}

const intends = (op: OpView): Event => ({
  kind: "op_intended",
  op: op.id,
  step: op.step,
  op_kind: op.kind,
  name: op.name,
  class: op.class,
  mode: op.mode,
  args: "blob",
  digest: "d",
  summary: op.summary,
  decision: { verdict: "allow", rule: "reads only" },
});

const finishes = (op: OpView): Event => ({
  kind: "op_finished",
  op: op.id,
  outcome: "ok",
  result: "blob",
  summary: "",
});

function aStep(step: number, over: Partial<StepView> = {}): StepView {
  const model = anOp({
    id: step * 2,
    step,
    kind: "model",
    name: "claude-sonnet-5",
    summary: "",
    class: "pure",
    tokens: { input: 900, output: 120, cache_read: 0, cache_write: 0, requests: 1 },
    cost_usd: "0.0042",
  });
  const tool = anOp({ id: step * 2 + 1, step, summary: `cargo test ${step}` });
  return {
    step,
    at: ago(600 - step * 10),
    ended_at: ago(590 - step * 10),
    entries:
      step === 0
        ? entries(0, [[{ kind: "message_added", origin: "prompt", text: "b" }, "Fix the parser."]])
        : entries(step, [
            intends(model),
            [finishes(model), `I run the tests, step ${step}.`],
            intends(tool),
            [finishes(tool), "3 passed"],
            { kind: "checkpoint_taken", checkpoint: step, step, snapshot: "abc", messages: 4 },
          ]),
    ops: step === 0 ? [] : [model, tool],
    truncated: false,
    undone: false,
    ...over,
  };
}

function pages(
  total: number,
  special: Record<number, StepView> = {},
): NonNullable<Script["steps"]> {
  return ({ from = 0, count }): StepPage => ({
    run: RUN,
    total,
    head_seq: total * 100,
    steps: Array.from({ length: Math.max(0, Math.min(count, total + 1 - from)) }, (_, i) => {
      const step = from + i;
      return special[step] ?? aStep(step, step === total ? { ended_at: null } : {});
    }),
  });
}

const detail = (over: Partial<OpDetail> = {}): OpDetail => ({
  run: RUN,
  op: anOp(),
  arguments: '{\n  "command": "cargo test 3"\n}',
  edited: null,
  result: "running 3 tests\nall passed",
  full_bytes: null,
  blocks: [],
  verdict: "allow",
  rule: "reads only",
  error: null,
  call_id: "toolu_1",
  review: null,
  ...over,
});

function room(view: Partial<RunView> = {}, script: Script = {}, tab: RunTab = "timeline") {
  const whole = aRunView({ id: RUN, steps: 3, ...view });
  return renderRoom(<RunRoom run={RUN} tab={tab} />, {
    at: `/runs/${RUN}/${tab}`,
    script: {
      show: whole,
      steps: pages(whole.steps),
      op: detail(),
      activity: { from: ago(600), bucket_s: 10, events: [1, 4, 2], tokens: [0, 0, 0] },
      ...script,
    },
  });
}

beforeEach(() => {
  useOpened.setState({ opened: new Set() });
  useDrafts.setState({ drafts: new Map() });
});

describe("a run's header", () => {
  it("says where it is, who really answered, and what it has used of what it may", async () => {
    const { container } = room({ model: "claude-opus-5", answered_by: ["claude-sonnet-5"] });
    expect(await screen.findByRole("heading", { level: 1, name: "Fix the parser" })).toBeVisible();
    expect(screen.getByText("Running")).toBeVisible();
    expect(screen.getByTitle("These models answered")).toHaveTextContent("claude-sonnet-5");
    expect(screen.getByRole("meter", { name: "Cost" })).toHaveAttribute("aria-valuetext", "8 %");
    expect(screen.getByText(/of 4 h/)).toBeVisible();
    expect(
      await screen.findByRole("img", { name: "7 events in the last 10 minutes" }),
    ).toBeVisible();
    await expectAccessible(container);
  });

  it("asks for the run without its operations", async () => {
    const { daemon } = room();
    await screen.findByRole("heading", { name: "Fix the parser" });
    expect(daemon.requests("show")).toEqual([{ run: RUN, ops: "none" }]);
  });

  it("names a wait's cause and its end", async () => {
    room({ state: "waiting", cause: "rate_limit", causes: ["rate_limit"], until: ahead(300) });
    expect(await screen.findByText("Waiting for a rate limit")).toBeVisible();
    expect(screen.getAllByText(/in (4 min 5\d s|5 min)/).length).toBeGreaterThan(0);
  });

  it("pauses with p, and asks before it cancels", async () => {
    const { user, daemon } = room(
      {},
      { pause: { runs: [] }, cancel: { id: RUN, state: "cancelled" } },
    );
    await screen.findByRole("button", { name: "Pause" });
    await user.keyboard("p");
    await waitFor(() => expect(daemon.requests("pause")).toEqual([{ runs: { one: RUN } }]));
    await user.click(screen.getByRole("button", { name: "More actions" }));
    await user.click(await screen.findByRole("menuitem", { name: /Cancel the run/ }));
    expect(daemon.requests("cancel")).toHaveLength(0);
    const dialog = await screen.findByRole("alertdialog");
    await user.click(within(dialog).getByRole("button", { name: "Cancel the run" }));
    await waitFor(() => expect(daemon.requests("cancel")).toEqual([{ run: RUN }]));
  });

  it("puts the recovery briefing on top of an interrupted run, with resume beside it", async () => {
    const { user, daemon, container } = room(
      {
        state: "interrupted",
        cause: "reboot",
        recovery: {
          cause: "reboot",
          detail: "1 call was in flight",
          at: ago(60),
          briefing: "`cargo publish` may have happened.",
        },
      },
      { resume: { runs: [] } },
    );
    const briefing = await screen.findByRole("region", { name: "Recovery briefing" });
    expect(briefing).toHaveTextContent("may have happened");
    await expectAccessible(container);
    await user.click(within(briefing).getByRole("button", { name: "Resume" }));
    expect(daemon.requests("resume")).toEqual([{ runs: { one: RUN } }]);
  });

  it("leads to its open review", async () => {
    const { user, visited } = room({
      state: "waiting",
      cause: "review",
      reviews: [aReview({ id: "rev-1", run: RUN })],
    });
    await user.click(await screen.findByRole("button", { name: /Decide/ }));
    expect(visited).toEqual(["/inbox/rev-1"]);
  });

  it("shows what failed when it cannot be read", async () => {
    const { container } = room(
      {},
      {
        show: () => {
          throw new CallError({ code: "not_found", message: "There is no such run", hint: "" });
        },
      },
    );
    expect(await screen.findByText("There is no such run")).toBeVisible();
    await expectAccessible(container);
  });

  it("stays readable without a daemon and says why nothing can be done", async () => {
    const { daemon } = room();
    await screen.findByText(/I run the tests, step 3/);
    daemon.setReachable(false);
    daemon.cut();
    await waitFor(() => expect(screen.getByRole("button", { name: /^Pause/ })).toBeDisabled());
    expect(screen.getByText(/I run the tests, step 3/)).toBeVisible();
    expect(screen.getAllByText("Not connected to the daemon").length).toBeGreaterThan(0);
  });
});

describe("the timeline", () => {
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
});

describe("the message box", () => {
  it("says something at any time", async () => {
    const { user, daemon } = room({}, { message: { id: RUN, state: "running" } });
    await screen.findByRole("button", { name: "Pause" });
    await user.keyboard("m");
    const box = screen.getByRole("textbox", { name: "Message to the agent" });
    expect(box).toHaveFocus();
    await user.keyboard("Use nom{Control>}{Enter}{/Control}");
    await waitFor(() =>
      expect(daemon.requests("message")).toEqual([{ run: RUN, text: "Use nom" }]),
    );
    await waitFor(() => expect(box).toHaveValue(""));
  });

  it("says it to a failed run, then resumes it", async () => {
    const { user, daemon } = room(
      { state: "failed", cause: "verify", detail: "'cargo test' still fails" },
      { message: { id: RUN, state: "failed" }, resume: { runs: [] } },
    );
    const box = await screen.findByRole("textbox", { name: "Message to the agent" });
    await user.type(box, "Skip the flaky one");
    await user.click(screen.getByRole("button", { name: "Send and resume" }));
    await waitFor(() => expect(daemon.requests("resume")).toEqual([{ runs: { one: RUN } }]));
    expect(daemon.requests("message")).toHaveLength(1);
  });

  it("keeps what could not be sent", async () => {
    const { user } = room(
      {},
      {
        message: () => {
          throw new CallError({ code: "internal", message: "The disk is full", hint: "" });
        },
      },
    );
    const box = await screen.findByRole("textbox", { name: "Message to the agent" });
    await user.type(box, "Hello");
    await user.click(await screen.findByRole("button", { name: "Send" }));
    expect(await screen.findByText("The message was not sent")).toBeVisible();
    expect(box).toHaveValue("Hello");
  });
});

const DIFF = `diff --git a/src/lex.rs b/src/lex.rs
--- a/src/lex.rs
+++ b/src/lex.rs
@@ -10,2 +10,2 @@
 fn next() {
-    old()
+    new()
`;

describe("the other parts", () => {
  it("sends comments on changed lines back to the agent with their places", async () => {
    const { user, daemon, container } = room(
      {},
      {
        diff: { run: RUN, diff: DIFF, files: ["src/lex.rs"] },
        message: { id: RUN, state: "running" },
      },
      "changes",
    );
    await user.click(await screen.findByRole("button", { name: "Comment on src/lex.rs:11" }));
    await user.type(screen.getByRole("textbox", { name: "Your comment" }), "Why not newer()?");
    await user.click(screen.getByRole("button", { name: "Add the comment" }));
    await expectAccessible(container);
    await user.click(screen.getByRole("button", { name: "Send 1 comment to the agent" }));
    await waitFor(() =>
      expect(daemon.requests("message")[0]?.text).toBe(
        "Comments on your changes:\n\nsrc/lex.rs:11\n>     new()\nWhy not newer()?",
      ),
    );
  });

  it("draws where the time went and leads to the step", async () => {
    const { user, visited, container } = room({}, {}, "trace");
    const bar = await screen.findByRole("button", {
      name: /Tools: shell cargo test 2.*Step 2, 10 s/,
    });
    await expectAccessible(container);
    await user.click(bar);
    expect(visited).toEqual([`/runs/${RUN}/timeline?step=2`]);
  });

  it("adds up the cost by model and by step, and never shows unknown as nothing", async () => {
    const tokens = { input: 10, output: 5, cache_read: 0, cache_write: 0, requests: 1 };
    const ops = [
      anOp({ id: 1, step: 1, kind: "model", name: "m-1", tokens, cost_usd: "0.01" }),
      anOp({ id: 2, step: 2, kind: "model", name: "m-1", tokens, cost_usd: "0.02" }),
      anOp({ id: 3, step: 2, kind: "model", name: "local", tokens, cost_usd: null }),
    ];
    const { container } = room({ ops }, {}, "cost");
    const table = await screen.findByRole("table", { name: "Cost by model" });
    expect(within(table).getByRole("row", { name: /m-1 2/ })).toHaveTextContent("$0.03");
    expect(within(table).getByRole("row", { name: /local/ })).toHaveTextContent("no price known");
    expect(screen.getAllByRole("option")).toHaveLength(2);
    await expectAccessible(container);
  });

  it("pages through the raw journal and shows an event whole", async () => {
    const { user, container } = room(
      {},
      {
        logs: ({ after = 0 }) => ({
          run: RUN,
          entries: [
            { seq: after + 1, at: ago(5), event: { kind: "noted", text: `note ${after + 1}` } },
          ],
          next: after < 2 ? after + 1 : null,
        }),
      },
      "details",
    );
    const list = await screen.findByRole("listbox", { name: "Journal" });
    expect(await within(list).findByText("note 3")).toBeVisible();
    await user.click(within(list).getByText("note 2"));
    expect(await screen.findByRole("region", { name: "Event 2" })).toHaveTextContent('"seq": 2');
    expect(screen.getByText("Fix the parser so that nested lists are read.")).toBeVisible();
    await expectAccessible(container);
  });
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

it("a fork says what it was forked from", async () => {
  const parent = anId();
  renderRoom(<RunRoom run={RUN} tab="details" />, {
    script: {
      show: aRunView({ id: RUN, fork: { run: parent, checkpoint: "cp4" } }),
      logs: { run: RUN, entries: [], next: null },
    },
  });
  const link = await screen.findByRole("link", { name: parent });
  expect(link.parentElement).toHaveTextContent(/^cp4 of /);
});

it("warns where the run changed what judges it", async () => {
  renderRoom(<RunRoom run={RUN} tab="changes" />, {
    script: {
      show: aRunView({
        id: RUN,
        tests_changed: [{ path: "tests/lexer.rs", reason: "an assertion was removed" }],
      }),
      steps: pages(1),
      diff: { run: RUN, diff: "", files: [] },
    },
  });
  const list = await screen.findByRole("list", { name: "Changed tests and their settings" });
  expect(list).toHaveTextContent("tests/lexer.rs an assertion was removed");
});

it("opens the workspace's folder where there is a desktop", async () => {
  const openWorkspace = vi.fn(async () => {});
  const script = { show: aRunView({ id: RUN }), logs: { run: RUN, entries: [], next: null } };
  const { user } = renderRoom(<RunRoom run={RUN} tab="details" />, {
    script,
    native: aDesktop({ openWorkspace }),
  });
  await user.click(await screen.findByRole("button", { name: "Open the folder" }));
  expect(openWorkspace).toHaveBeenCalledWith(RUN);
});
