import { act, screen, waitFor, within } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import type { ConsequencesView, RolledBack } from "../../ipc/bindings";
import { CallError } from "../../ipc/errors";
import { closeTravel, openTravel, type Travel } from "../../stores/travel";
import { ago, anId, aRunView } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { TravelDialog } from "./TravelDialog";

const RUN = anId();

const preview = (over: Partial<ConsequencesView> = {}): ConsequencesView => ({
  run: RUN,
  checkpoint: "cp3",
  step: 3,
  steps_undone: 2,
  files: [{ path: "src/lexer.rs", change: "modified", added: 12, removed: 3 }],
  files_changed: 1,
  not_undone: [{ op: 9, step: 4, name: "shell", summary: "$ git push origin main", at: ago(60) }],
  reviews_withdrawn: ["$ git tag v1"],
  remarks: ["big.iso was left out of the snapshots: it stays as it is."],
  ...over,
});

const went = (checkpoint: string, undo: string): RolledBack => ({
  id: RUN,
  state: "paused",
  checkpoint,
  undo,
  consequences: preview(),
});

const open = (travel: Partial<Travel>) =>
  act(() => openTravel({ run: RUN, checkpoint: "cp3", how: "rollback", ...travel }));

afterEach(closeTravel);

test("a rollback says first what it undoes, what it cannot, and what it cannot restore", async () => {
  const { user, daemon } = renderRoom(<TravelDialog />, {
    script: {
      consequences: preview(),
      rollback: ({ to }) => (to === "cp3" ? went("cp3", "cp6") : went("cp6", "cp7")),
    },
  });
  open({});
  const dialog = await screen.findByRole("alertdialog", { name: "Roll back to cp3?" });
  expect(await within(dialog).findByText(/after step 3.*2 steps no longer count/)).toBeVisible();
  expect(within(dialog).getByRole("list", { name: "What is not taken back" })).toHaveTextContent(
    "Step 4 $ git push origin main",
  );
  expect(
    within(dialog).getByRole("list", { name: "What is not restored exactly" }),
  ).toHaveTextContent("big.iso was left out");
  expect(within(dialog).getByRole("list", { name: "1 review withdrawn" })).toHaveTextContent(
    "$ git tag v1",
  );
  expect(within(dialog).getByRole("list", { name: "1 file goes back" })).toHaveTextContent(
    "src/lexer.rs modified since, +12 −3",
  );
  await expectAccessible(dialog);
  expect(daemon.requests("rollback")).toEqual([]);

  await user.click(within(dialog).getByRole("button", { name: "Roll back" }));
  await user.click(await screen.findByRole("button", { name: "Undo" }));
  await screen.findByText("As it was before the rollback");
  expect(daemon.requests("rollback")).toEqual([
    { run: RUN, to: "cp3" },
    { run: RUN, to: "cp6" },
  ]);
});

test("what cannot be looked at cannot be done", async () => {
  const { daemon } = renderRoom(<TravelDialog />, {
    script: {
      consequences: () => {
        throw new CallError({
          code: "conflict",
          message: "The snapshot of cp3 is gone.",
          hint: "Choose another checkpoint.",
        });
      },
    },
  });
  open({ how: "resume" });
  const dialog = await screen.findByRole("alertdialog", { name: "Resume from cp3?" });
  expect(await within(dialog).findByText("The snapshot of cp3 is gone.")).toBeVisible();
  expect(within(dialog).getByRole("button", { name: "Go back and resume" })).toBeDisabled();
  expect(daemon.requests("resume_from")).toEqual([]);
});

test("resuming from a checkpoint is one request, and says where the old state is", async () => {
  const { user, daemon } = renderRoom(<TravelDialog />, {
    script: { consequences: preview(), resume_from: went("cp3", "cp6") },
  });
  open({ how: "resume" });
  await screen.findByText(/Then the run goes on from there/);
  await user.click(screen.getByRole("button", { name: "Go back and resume" }));
  await screen.findByText(/cp6 has everything as it was/);
  expect(daemon.requests("resume_from")).toEqual([{ run: RUN, from: "cp3" }]);
});

test("a fork from the newest checkpoint that counts, with a word to its agent", async () => {
  const child = anId();
  const { user, daemon, visited } = renderRoom(<TravelDialog />, {
    script: {
      show: aRunView({
        id: RUN,
        checkpoints: [
          { id: "cp4", step: 4, at: ago(40), undone: false },
          { id: "cp5", step: 5, at: ago(30), undone: true },
        ],
      }),
      consequences: preview({ checkpoint: "cp4", steps_undone: 0, not_undone: [], remarks: [] }),
      fork: { id: child, state: "queued", parent: RUN, checkpoint: "cp4" },
    },
  });
  open({ checkpoint: null, how: "fork" });
  await screen.findByRole("dialog", { name: "Fork from cp4" });
  await user.type(await screen.findByRole("textbox"), "Try the other parser.");
  await user.click(screen.getByRole("button", { name: "Fork" }));
  await waitFor(() => expect(visited).toEqual([`/runs/${child}/timeline`]));
  expect(daemon.requests("fork")).toEqual([
    { run: RUN, from: "cp4", message: "Try the other parser." },
  ]);
});

test("a run without a checkpoint says so", async () => {
  renderRoom(<TravelDialog />, { script: { show: aRunView({ id: RUN }) } });
  open({ checkpoint: null, how: "fork" });
  expect(await screen.findByText(/It has no checkpoint yet/)).toBeVisible();
});
