import { screen, waitFor, within } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { aDesktop, ago, anId, anOp, aRunView } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { pages, RUN, room } from "../../test/run";
import { RunRoom } from "./RunRoom";

const DIFF = `diff --git a/src/lex.rs b/src/lex.rs
--- a/src/lex.rs
+++ b/src/lex.rs
@@ -10,2 +10,2 @@
 fn next() {
-    old()
+    new()
`;

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
