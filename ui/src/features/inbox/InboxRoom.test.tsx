import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { isArmed } from "../../actions/arming";
import type { ReviewView } from "../../ipc/bindings";
import { CallError } from "../../ipc/errors";
import type { Script } from "../../ipc/transport/fake";
import { aCatchUp, ago, ahead, anEntry, aReview, aReviewDetail, aRun } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { useDecisions } from "./decisions";
import { InboxRoom } from "./InboxRoom";
import { useInboxState } from "./inbox-state";
import { UndoBar } from "./UndoBar";

const push = aReview({ id: "push", title: "shell: git push origin main", requested_at: ago(900) });
const write = aReview({
  id: "write",
  kind: "sensitive_change",
  title: "write: .github/workflows/ci.yml",
  arguments: '{"path":".github/workflows/ci.yml","content":"on: push\\njobs: {}\\n"}',
  requested_at: ago(600),
});
const question = aReview({
  id: "question",
  kind: "question",
  title: "Which database?",
  detail: "Which **database** should it use?",
  why: "the agent asks",
  choices: [],
  editable: false,
  arguments: null,
  requested_at: ago(300),
});
const doubt = aReview({
  id: "in-doubt",
  kind: "in_doubt",
  title: "Did this happen? shell: npm publish",
  detail: "The keeper was killed; npm had printed “+ pkg@1.0.1”.",
  editable: false,
  choices: [
    { id: "happened", label: "It happened", effect: "It is taken as done." },
    { id: "again", label: "Run it again", effect: "It runs a second time." },
    { id: "skip", label: "Skip it", effect: "It is left." },
  ],
  requested_at: ago(100),
});
const budget = aReview({
  id: "budget",
  kind: "budget",
  title: "The cost cap is reached",
  detail: "$5.00 of $5.00 are used.",
  editable: false,
  arguments: null,
  choices: [
    { id: "more", label: "More", effect: "The cap is raised and the run goes on." },
    { id: "end", label: "End", effect: "The run ends here." },
  ],
  requested_at: ago(50),
});

function inbox(reviews: ReviewView[], script: Script = {}, review: string | null = null) {
  let queue = reviews;
  const all = new Map(reviews.map((r) => [r.id, r]));
  const shown = renderRoom(
    <>
      <InboxRoom review={review} />
      <UndoBar />
    </>,
    {
      at: review ? `/inbox/${review}` : "/inbox",
      script: {
        reviews: ({ status }) => ({ reviews: status === "queue" ? queue : [] }),
        review: ({ review: id }) =>
          aReviewDetail({
            review: all.get(id) ?? aReview({ id }),
            run: aRun({ state: "waiting", cause: "review" }),
            before: [anEntry({ kind: "noted", text: "The tests pass now" })],
          }),
        decide: ({ review: id, choice }) => {
          queue = queue.map((r) =>
            r.id === id
              ? {
                  ...r,
                  state: "decided" as const,
                  effective_at: ahead(5),
                  answer: { choice, note: null, by: "browser", at: ago(0) },
                }
              : r,
          );
          return { review: id, run: "r", choice, effective_at: ahead(5) };
        },
        undo: ({ review: id }) => {
          queue = queue.map((r) =>
            r.id === id ? { ...r, state: "open" as const, effective_at: null, answer: null } : r,
          );
          return { review: id, run: "r" };
        },
        snooze: ({ review: id }) => {
          queue = queue.filter((r) => r.id !== id);
          return aReview({ id });
        },
        ...script,
      },
    },
  );
  return { ...shown, setQueue: (next: ReviewView[]) => (queue = next) };
}

const item = (name: RegExp) => screen.findByRole("option", { name });
/** The item the list is on; the list itself keeps the focus. */
const current = () => {
  const id = screen.getByRole("listbox", { name: "Reviews" }).getAttribute("aria-activedescendant");
  return document.getElementById(id ?? "");
};
const armed = () =>
  waitFor(() => expect(document.querySelector("[data-armed=true]")).not.toBeNull());

beforeEach(() => {
  useInboxState.setState({ selected: null, grouping: "run" });
  useDecisions.setState({ held: new Map() });
});

describe("the inbox", () => {
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
});

describe("a conflict", () => {
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
});

describe("always allow this here", () => {
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
    const { user } = inbox([fetch], {
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
  });

  it("is not offered for what is looked at each time", async () => {
    inbox([push]);
    await screen.findByRole("option", { name: /git push/ });
    expect(screen.queryByRole("button", { name: /Always allow/ })).toBeNull();
  });
});
