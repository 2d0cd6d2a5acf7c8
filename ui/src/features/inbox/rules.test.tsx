import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { ago, ahead, aReview } from "../../test/fixtures";
import { armed, inbox, item } from "../../test/inbox";
import { setGrouping } from "./inbox-state";

const flagged = (id: string, title: string, seconds: number) =>
  aReview({ id, run: id, title, rule_id: "balanced:beyond", requested_at: ago(seconds) });

it("answers what one rule asked about together, only where it is looked at by rule", async () => {
  setGrouping("run");
  const { user, daemon } = inbox([
    flagged("push", "$ git push", 900),
    flagged("publish", "$ npm publish", 800),
    aReview({ id: "other", run: "c", title: "$ cat .env", rule_id: "balanced:sensitive" }),
  ]);
  await item(/git push/);
  expect(screen.queryByRole("region", { name: "Equal items" })).toBeNull();
  await user.click(screen.getByRole("button", { name: "Group by kind" }));
  await user.click(screen.getByRole("button", { name: "Group by rule" }));
  const bar = await screen.findByRole("region", { name: "Equal items" });
  expect(bar).toHaveTextContent("2 items were flagged by this rule");
  await armed();
  await user.keyboard("=");
  await user.keyboard("a");
  await waitFor(() =>
    expect(daemon.requests("decide").map((r) => r.review)).toEqual(["push", "publish"]),
  );
});

it("says when a review expires, and what that means", async () => {
  setGrouping("run");
  inbox([aReview({ id: "one", title: "$ git push", expires_at: ahead(3700) })]);
  await item(/git push/);
  const words = await screen.findByText(/^Expires/);
  expect(words).toHaveTextContent(/Expires in 1 h/);
  expect(words).toHaveAttribute("title", expect.stringContaining("Nothing is approved or refused"));
});
