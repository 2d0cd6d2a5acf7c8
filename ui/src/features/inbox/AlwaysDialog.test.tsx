import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { isArmed } from "../../actions/arming";
import { ago, aReview } from "../../test/fixtures";
import { inbox, push } from "../../test/inbox";

const fetch = aReview({ id: "fetch", title: "$ git fetch origin", always: true });
const preview = {
  review: "fetch",
  rule: '[[rule]]\nname = "always allowed here: git fetch origin"\n',
  why_not: null,
  file: "/home/ada/.longhaul/policy.toml",
  project: "/home/ada/parser",
  looked_at: 7,
  spared: 2,
  samples: [{ review: "old", title: "$ git fetch origin", at: ago(9000), answer: "approve" }],
};

it("shows the rule and what else it would have allowed, and sends that very rule", async () => {
  const decided: unknown[] = [];
  const { user, visited } = inbox([fetch], {
    rule_preview: () => preview,
    decide: (request) => {
      decided.push(request);
      return { review: "fetch", run: "r", choice: "approve", effective_at: null };
    },
  });
  await screen.findByRole("option", { name: /git fetch/ });
  await waitFor(() => expect(isArmed()).toBe(true));
  await user.keyboard("{Shift>}A{/Shift}");
  const dialog = await screen.findByRole("dialog", { name: "Always allow this here?" });
  await within(dialog).findByText(/of 7 other reviews/i);
  expect(within(dialog).getByText(/always allowed here: git fetch origin/)).toBeVisible();
  expect(within(dialog).getByLabelText("What else it would have allowed")).toBeVisible();
  expect(decided).toEqual([]);
  await user.click(within(dialog).getByRole("button", { name: "Approve and always allow" }));
  await waitFor(() =>
    expect(decided).toMatchObject([
      { review: "fetch", choice: "approve", grace_ms: 0, rule: preview.rule },
    ]),
  );
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await user.click(await screen.findByRole("button", { name: "Show the rules" }));
  expect(visited).toEqual(["/settings/rules?project=%2Fhome%2Fada%2Fparser"]);
});

it("is not offered for what is looked at each time", async () => {
  inbox([push]);
  await screen.findByRole("option", { name: /git push/ });
  expect(screen.queryByRole("button", { name: /Always allow/ })).toBeNull();
});
