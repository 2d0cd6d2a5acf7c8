import { screen, waitFor } from "@testing-library/react";
import { expect } from "vitest";
import { useDecisions } from "../features/inbox/decisions";
import { InboxRoom } from "../features/inbox/InboxRoom";
import { useInboxState } from "../features/inbox/inbox-state";
import { UndoBar } from "../features/inbox/UndoBar";
import type { ReviewView } from "../ipc/bindings";
import type { Script } from "../ipc/transport/fake";
import { ago, ahead, anEntry, aReview, aReviewDetail, aRun } from "./fixtures";
import { renderRoom } from "./render";

// Reviews of each kind, and the inbox they stand in.

export const push = aReview({
  id: "push",
  title: "shell: git push origin main",
  requested_at: ago(900),
});
export const write = aReview({
  id: "write",
  kind: "sensitive_change",
  title: "write: .github/workflows/ci.yml",
  arguments: '{"path":".github/workflows/ci.yml","content":"on: push\\njobs: {}\\n"}',
  requested_at: ago(600),
});
export const question = aReview({
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
export const doubt = aReview({
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
export const budget = aReview({
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

/** The inbox over a daemon that keeps what is decided, snoozed and taken back. */
export function inbox(reviews: ReviewView[], script: Script = {}, review: string | null = null) {
  useInboxState.setState({ selected: null, grouping: "run" });
  useDecisions.setState({ held: new Map() });
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

export const item = (name: RegExp) => screen.findByRole("option", { name });
/** The item the list is on; the list itself keeps the focus. */
export const current = () => {
  const id = screen.getByRole("listbox", { name: "Reviews" }).getAttribute("aria-activedescendant");
  return document.getElementById(id ?? "");
};
export const armed = () =>
  waitFor(() => expect(document.querySelector("[data-armed=true]")).not.toBeNull());
