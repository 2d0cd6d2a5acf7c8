import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { aReview } from "../../test/fixtures";
import { armed, budget, doubt, inbox, item, push, question } from "../../test/inbox";
import { expectAccessible } from "../../test/render";

it("asks what happened with the evidence, by number", async () => {
  const { user, daemon } = inbox([doubt]);
  await item(/npm publish/);
  expect(screen.getByRole("region", { name: "Evidence" })).toHaveTextContent("pkg@1.0.1");
  await armed();
  await user.keyboard("1");
  await waitFor(() => expect(daemon.requests("decide")[0]).toMatchObject({ choice: "happened" }));
});

it("gives more budget up to an amount", async () => {
  const { user, daemon } = inbox([budget]);
  await item(/cost cap/);
  await armed();
  await user.keyboard("1");
  await user.type(await screen.findByRole("textbox", { name: "New cost cap" }), "12.5");
  await user.click(screen.getByRole("button", { name: "Go on" }));
  await waitFor(() =>
    expect(daemon.requests("decide")[0]).toMatchObject({ choice: "more", max_cost_usd: "12.5" }),
  );
});

it("answers a question in own words", async () => {
  const { user, daemon, container } = inbox([question]);
  await item(/Which database/);
  await armed();
  await expectAccessible(container);
  await user.type(screen.getByRole("textbox", { name: "Your answer" }), "SQLite");
  await user.click(screen.getByRole("button", { name: "Send the answer" }));
  await waitFor(() => expect(daemon.requests("decide")[0]).toMatchObject({ choice: "SQLite" }));
});

const conflict = aReview({
  id: "conflict",
  kind: "conflict",
  title: "You changed add.py meanwhile",
  why: "both changed it. Nothing has been changed yet.",
  detail:
    "add.py: both changed it\n\n--- add.py\n<<<<<<< yours\na - b\n=======\na + b\n>>>>>>> the run's\n",
  editable: false,
  arguments: null,
  choices: [
    { id: "theirs", label: "Take the run's", effect: "These files become the run's version." },
    { id: "mine", label: "Keep mine", effect: "These files stay as you have them." },
    { id: "branch", label: "As a branch", effect: "All of it becomes a new branch." },
    { id: "cancel", label: "Do not apply", effect: "Nothing is applied." },
  ],
});

it("shows both sides as they are, and each way out with its key", async () => {
  // As `Open review` leads to it, with another item in front of it.
  const { container } = inbox([push, conflict], {}, "conflict");
  const sides = await screen.findByRole("region", { name: "Both sides" });
  expect(sides).toHaveTextContent(/<<<<<<< yours a - b ======= a \+ b >>>>>>> the run's/);
  conflict.choices.forEach((choice, i) => {
    const button = screen.getByRole("button", { name: new RegExp(`^${choice.label}`) });
    expect(button).toBeEnabled();
    expect(button).toHaveAttribute("aria-keyshortcuts", `${i + 1}`);
  });
  expect(screen.queryByRole("button", { name: /^(Approve|Reject|Edit)/ })).toBeNull();
  await expectAccessible(container);
});

it.each(conflict.choices.map((choice, i) => [`${i + 1}`, choice.id]))(
  "the key %s answers %s",
  async (key, choice) => {
    const { user, daemon } = inbox([conflict]);
    await item(/You changed add\.py/);
    await armed();
    await user.keyboard("a");
    await user.keyboard(key);
    await waitFor(() => expect(daemon.requests("decide")).toHaveLength(1));
    expect(daemon.requests("decide")[0]).toMatchObject({ review: "conflict", choice });
  },
);
