import { screen, waitFor } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { isArmed } from "../../actions/arming";
import { CallError } from "../../ipc/errors";
import { ago, ahead, aReview, aReviewDetail } from "../../test/fixtures";
import { armed, current, inbox, item, push, write } from "../../test/inbox";

it("approves with a at once, without waiting for the daemon, and focuses the next item", async () => {
  let answer: (() => void) | undefined;
  const { user, daemon } = inbox([push, write], {
    decide: (request) =>
      new Promise((resolve) => {
        answer = () =>
          resolve({
            review: request.review,
            run: "r",
            choice: request.choice,
            effective_at: ahead(5),
          });
      }),
  });
  await item(/git push/);
  await armed();
  await user.keyboard("a");
  expect(screen.queryByRole("option", { name: /git push/ })).toBeNull();
  expect(await item(/ci\.yml/)).toBe(current());
  expect(screen.getByRole("listbox", { name: "Reviews" })).toHaveFocus();
  expect(daemon.requests("decide")).toEqual([
    { review: "push", choice: "approve", by: "browser", grace_ms: 5000 },
  ]);
  answer?.();
});

it("cannot hit a new item with a key pressed for the one before", async () => {
  const { user, daemon } = inbox([push, write]);
  await item(/git push/);
  await armed();
  // Time stands still: however slow the machine is, the keys come at once.
  const clock = vi.spyOn(performance, "now").mockReturnValue(performance.now());
  await user.keyboard("aaa");
  await item(/ci\.yml/);
  expect(daemon.requests("decide")).toHaveLength(1);
  clock.mockRestore();
  await armed();
  await waitFor(() => expect(isArmed()).toBe(true));
  await user.keyboard("a");
  await waitFor(() => expect(daemon.requests("decide")).toHaveLength(2));
});

it("undoes a decision with u: the item is back", async () => {
  const { user, daemon } = inbox([push, write]);
  await item(/git push/);
  await armed();
  await user.keyboard("a");
  const bar = await screen.findByRole("region", { name: "Decisions that can be undone" });
  expect(bar).toHaveTextContent(/Approve · shell: git push origin main/);
  await waitFor(() => expect(daemon.requests("decide")).toHaveLength(1));
  await user.keyboard("u");
  expect(await item(/git push/)).toBeVisible();
  expect(daemon.requests("undo")[0]).toMatchObject({ review: "push", by: "browser" });
  await waitFor(() =>
    expect(screen.queryByRole("region", { name: "Decisions that can be undone" })).toBeNull(),
  );
});

it("rejects with a note", async () => {
  const { user, daemon } = inbox([push]);
  await item(/git push/);
  await armed();
  await user.keyboard("r");
  await user.type(await screen.findByRole("textbox", { name: "Note for the agent" }), "Not main");
  await user.keyboard("{Control>}{Enter}{/Control}");
  await waitFor(() =>
    expect(daemon.requests("decide")[0]).toMatchObject({ choice: "reject", note: "Not main" }),
  );
  expect(await screen.findByRole("heading", { name: "Nothing needs you" })).toBeVisible();
});

it("edits the arguments, then approves", async () => {
  const { user, daemon } = inbox([push]);
  await item(/git push/);
  await armed();
  await user.keyboard("e");
  const field = await screen.findByRole("textbox", { name: "command" });
  await user.clear(field);
  await user.type(field, "git push origin topic");
  await user.click(screen.getByRole("button", { name: "Approve as edited" }));
  await waitFor(() =>
    expect(daemon.requests("decide")[0]).toMatchObject({
      choice: "approve",
      arguments: { command: "git push origin topic" },
    }),
  );
});

it("snoozes from its menu", async () => {
  const { user, daemon } = inbox([push, write]);
  await item(/git push/);
  await user.keyboard("s");
  await user.click(await screen.findByRole("menuitem", { name: "2 hours" }));
  expect(daemon.requests("snooze")).toEqual([{ review: "push", seconds: 7200 }]);
  expect(await item(/ci\.yml/)).toBe(current());
  expect(screen.queryByRole("option", { name: /git push/ })).toBeNull();
});

it("decides several one by one and says which failed", async () => {
  const { user, daemon } = inbox([push, write], {
    decide: ({ review, choice }) => {
      if (review === "write") {
        throw new CallError({
          code: "internal",
          message: "The disk is full",
          hint: "Free some.",
        });
      }
      return { review, run: "r", choice, effective_at: ahead(5) };
    },
  });
  await item(/git push/);
  await armed();
  await user.keyboard("xjx");
  expect(screen.getByRole("region", { name: "Selected items" })).toHaveTextContent("2 items");
  await armed();
  await user.keyboard("a");
  expect(await screen.findByText(/1 of 2 decisions failed/)).toBeVisible();
  expect(screen.getByText(/The disk is full Free some\./)).toBeVisible();
  expect(await item(/ci\.yml/)).toBeVisible();
  expect(daemon.requests("decide").map((r) => r.review)).toEqual(["push", "write"]);
});

it("answers equals together when that is chosen, and none that came in since", async () => {
  const equal = (id: string, seconds: number) =>
    aReview({
      id,
      run: id,
      title: "$ git push",
      same: "tool_call:1",
      requested_at: ago(seconds),
    });
  const { user, daemon, setQueue } = inbox([equal("one", 900), equal("two", 800), write]);
  const bar = await screen.findByRole("region", { name: "Equal items" });
  expect(bar).toHaveTextContent("2 items ask for this very call");
  await armed();
  await user.keyboard("=");
  expect(screen.getByRole("region", { name: "Selected items" })).toHaveTextContent("2 items");
  setQueue([equal("one", 900), equal("two", 800), equal("late", 1), write]);
  await user.keyboard("a");
  await waitFor(() =>
    expect(daemon.requests("decide").map((r) => r.review)).toEqual(["one", "two"]),
  );
});

it("shows the other's decision when somebody was faster", async () => {
  const { user } = inbox([push], {
    decide: () => {
      throw new CallError({ code: "conflict", message: "It is decided.", hint: "" });
    },
    review: ({ review }) =>
      aReviewDetail({
        review: {
          ...push,
          id: review,
          state: "decided",
          answer: { choice: "reject", note: "not today", by: "cli", at: ago(20) },
        },
      }),
  });
  await item(/git push/);
  await armed();
  await user.keyboard("a");
  expect(await screen.findByText(/was decided elsewhere/)).toBeVisible();
  expect(screen.getByText(/Reject, through cli, 20 s ago.*not today/)).toBeVisible();
});
