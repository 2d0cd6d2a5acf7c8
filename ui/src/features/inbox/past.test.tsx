import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { aCatchUp, ago, aReview } from "../../test/fixtures";
import { inbox, item, push } from "../../test/inbox";
import { expectAccessible } from "../../test/render";

it("says what happened since the last look, and remembers that it was seen", async () => {
  const seen = aCatchUp({
    runs: [
      {
        run: "r1",
        title: "Fix the parser",
        project: "/p",
        state: "failed",
        why: "it still fails",
        at: ago(60),
        cost_usd: "0.5",
      },
    ],
    decisions: [
      { review: "v", run: "r1", title: "$ ls", choice: "approve", by: "cli", at: ago(90) },
    ],
  });
  const { user, daemon, container } = inbox([], {
    catch_up: seen,
    caught_up: { at: ago(0) },
  });
  await user.click(await screen.findByRole("tab", { name: "Catch up" }));
  const runs = await screen.findByRole("list", { name: "Runs that ended or stopped" });
  expect(runs).toHaveTextContent(/Fix the parser failed.*it still fails/);
  expect(screen.getByRole("list", { name: "Decisions" })).toHaveTextContent(/approve by cli/);
  await expectAccessible(container);
  await user.click(screen.getByRole("button", { name: "I have seen it" }));
  await waitFor(() => expect(daemon.requests("caught_up")).toEqual([{ cursor: "s.7" }]));
});

it("keeps the history of every decision", async () => {
  const decided = (id: string, choice: string, note: string | null) =>
    aReview({
      id,
      title: `shell: ${id}`,
      state: "used",
      answer: { choice, note, by: "cli", at: ago(60) },
    });
  const { user, container } = inbox([push], {
    reviews: ({ status }) => ({
      reviews:
        status === "decided"
          ? [decided("make deploy", "approve", null), decided("rm -rf /", "reject", "never")]
          : status === "queue"
            ? [push]
            : [],
    }),
  });
  await item(/git push/);
  await user.keyboard("h");
  const list = await screen.findByRole("list", { name: "Decisions" });
  expect(within(list).getAllByRole("listitem")).toHaveLength(2);
  await user.type(screen.getByRole("textbox", { name: "Filter the history" }), "never");
  expect(within(list).getAllByRole("listitem")).toHaveLength(1);
  expect(list).toHaveTextContent("rm -rf /");
  await expectAccessible(container);
});
