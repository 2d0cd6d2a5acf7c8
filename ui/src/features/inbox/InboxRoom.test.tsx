import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { CallError } from "../../ipc/errors";
import { ago, anEntry, aReview, aReviewDetail } from "../../test/fixtures";
import { armed, current, inbox, item, push, write } from "../../test/inbox";
import { expectAccessible } from "../../test/render";

it("shows what is asked in full, why, what was before, and its cost", async () => {
  const { container } = inbox([push, write]);
  await item(/^Call:\s*shell: git push origin main.*Fix the parser.*asked\s*15 min ago/);
  expect(current()).toHaveTextContent("git push");
  const panel = screen.getByRole("article", { name: /git push/ });
  expect(within(panel).getByRole("region", { name: "Command" })).toHaveTextContent(
    "git push origin main",
  );
  expect(within(panel).getByText(/git push: uses the network/)).toBeVisible();
  expect(within(panel).getByText(/Commands that reach other machines/)).toBeVisible();
  expect(await within(panel).findByText("The tests pass now")).toBeVisible();
  expect(within(panel).getByText("$0.4213")).toBeVisible();
  await expectAccessible(container);
});

it("moves with j and k, and shows a write as a diff", async () => {
  const { user } = inbox([push, write]);
  await item(/git push/);
  await user.keyboard("j");
  const link = await item(/ci\.yml/);
  expect(link).toBe(current());
  expect(screen.getByRole("listbox", { name: "Reviews" })).toHaveFocus();
  const panel = screen.getByRole("article", { name: /ci\.yml/ });
  expect(within(panel).getByText("on: push")).toBeVisible();
  await user.keyboard("k");
  expect(await item(/git push/)).toBe(current());
});

it("stays on its item while others come and go", async () => {
  const { user, daemon, setQueue } = inbox([push, write]);
  await item(/git push/);
  await user.keyboard("j");
  setQueue([aReview({ id: "older", title: "older one", requested_at: ago(5000) }), push, write]);
  daemon.push({
    type: "event",
    frame: { cursor: "s.9", run: "r", entry: anEntry({ kind: "review_used", review: "x" }) },
  });
  await item(/older one/);
  expect(await item(/ci\.yml/)).toBe(current());
});

it("groups by kind", async () => {
  const { user } = inbox([push, write]);
  await item(/git push/);
  await user.click(screen.getByRole("button", { name: "Group by kind" }));
  expect(screen.getByText("Sensitive changes")).toBeVisible();
});

it("opens the run with enter", async () => {
  const { user, visited } = inbox([push]);
  await item(/git push/);
  screen.getByRole("listbox", { name: "Reviews" }).focus();
  await user.keyboard("{Enter}");
  expect(visited).toEqual([`/runs/${push.run}/timeline`]);
});

it("shows a review a link leads to, though it is over", async () => {
  inbox(
    [push],
    {
      review: () =>
        aReviewDetail({
          review: aReview({
            id: "gone",
            title: "shell: rm -r build",
            state: "used",
            answer: { choice: "approve", note: null, by: "notification", at: ago(60) },
          }),
        }),
    },
    "gone",
  );
  expect(await screen.findByRole("article", { name: /rm -r build/ })).toHaveTextContent(
    /through notification/,
  );
  expect(screen.queryByRole("button", { name: "Approve" })).toBeNull();
});

it("keeps the queue readable without a daemon, and says why nothing can be decided", async () => {
  const { user, daemon } = inbox([push]);
  await item(/git push/);
  await armed();
  daemon.setReachable(false);
  daemon.cut();
  await waitFor(() => expect(screen.getByRole("button", { name: /^Approve/ })).toBeDisabled());
  expect(screen.getAllByText("Not connected to the daemon").length).toBeGreaterThan(0);
  await user.keyboard("a");
  expect(daemon.requests("decide")).toHaveLength(0);
});

it("rewards an empty queue", async () => {
  const { container } = inbox([]);
  expect(await screen.findByRole("heading", { name: "Nothing needs you" })).toBeVisible();
  await expectAccessible(container);
});

it("says what failed when the queue cannot be read", async () => {
  const { user, daemon } = inbox([], {
    reviews: () => {
      throw new CallError({
        code: "internal",
        message: "The store is shut",
        hint: "See doctor.",
      });
    },
  });
  expect(await screen.findByText("Could not read the inbox")).toBeVisible();
  daemon.answer("reviews", { reviews: [push] });
  await user.click(screen.getByRole("button", { name: "Try again" }));
  expect(await item(/git push/)).toBeVisible();
});
