import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { CallError } from "../../ipc/errors";
import { useConnection } from "../../stores/connection";
import { useTravel } from "../../stores/travel";
import { aRun, aRunView } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { RunsRoom } from "./RunsRoom";

const listOf = (runs: ReturnType<typeof aRun>[]) => ({ runs, cursor: "s.9", partial: false });

test("shows what needs somebody first, each run with its state in words", async () => {
  const asks = aRun({
    title: "Port the tests",
    state: "waiting",
    cause: "review",
    open_reviews: 2,
  });
  const limited = aRun({
    title: "Write docs",
    state: "waiting",
    cause: "rate_limit",
    open_reviews: 0,
  });
  const { container } = renderRoom(<RunsRoom />, {
    at: "/runs",
    script: { runs: listOf([limited, asks]) },
  });
  const rows = await screen.findAllByRole("option");
  expect(rows[0]).toHaveTextContent(/Port the tests.*2 reviews/);
  expect(rows[1]).toHaveTextContent(/Waiting for a rate limit/);
  await expectAccessible(container);
});

test("opens a run with a click", async () => {
  const run = aRun({ title: "Fix the parser" });
  const { user, visited } = renderRoom(<RunsRoom />, {
    at: "/runs",
    script: { runs: listOf([run]) },
  });
  await user.click(await screen.findByRole("option", { name: /Fix the parser/ }));
  expect(visited.at(-1)).toBe(`/runs/${run.id}/timeline`);
});

test("resumes every selected run that can be, and names the one that could not", async () => {
  const first = aRun({ title: "First", state: "interrupted", cause: "reboot", open_reviews: 0 });
  const second = aRun({ title: "Second", state: "paused", open_reviews: 0 });
  const { user, daemon } = renderRoom(<RunsRoom />, {
    at: "/runs",
    script: {
      runs: listOf([first, second]),
      resume: ({ runs }) => {
        if (typeof runs === "object" && runs.one === second.id) {
          throw new CallError({ code: "conflict", message: "It is gone.", hint: "" });
        }
        return { runs: [] };
      },
    },
  });
  await screen.findByRole("option", { name: /First/ });
  await user.keyboard("{Control>}a{/Control}");
  await user.click(await screen.findByRole("button", { name: /^Resume(?! all)/ }));
  await waitFor(() =>
    expect(daemon.requests("resume")).toEqual([
      { runs: { one: first.id } },
      { runs: { one: second.id } },
    ]),
  );
  expect(await screen.findByText(/“Second” could not be resumed/)).toBeInTheDocument();
});

test("cancelling asks first and says what it does", async () => {
  const run = aRun({ title: "Loops", state: "running", open_reviews: 0 });
  const { user, daemon } = renderRoom(<RunsRoom />, {
    at: "/runs",
    script: { runs: listOf([run]), cancel: () => ({ id: run.id, state: "cancelled" }) },
  });
  await screen.findByRole("option", { name: /Loops/ });
  await user.keyboard("j");
  await user.click(await screen.findByRole("button", { name: "Cancel…" }));
  const dialog = await screen.findByRole("alertdialog");
  expect(dialog).toHaveTextContent(/Their files stay/);
  expect(daemon.requests("cancel")).toEqual([]);
  await user.click(within(dialog).getByRole("button", { name: "Cancel the runs" }));
  await waitFor(() => expect(daemon.requests("cancel")).toEqual([{ run: run.id }]));
});

test("a filter that nothing fits says so and can be taken away", async () => {
  const { user } = renderRoom(<RunsRoom />, {
    at: "/runs?state=failed",
    script: { runs: listOf([aRun({ title: "Fine", state: "completed" })]) },
  });
  expect(await screen.findByText("No run fits")).toBeInTheDocument();
  await user.click(screen.getByRole("button", { name: "Show all runs" }));
  expect(await screen.findByRole("option", { name: /Fine/ })).toBeInTheDocument();
});

test("without a run it says what one is and offers to start one", async () => {
  const { container } = renderRoom(<RunsRoom />, { at: "/runs", script: { runs: listOf([]) } });
  expect(await screen.findByText("No runs yet")).toBeInTheDocument();
  expect(screen.getByRole("button", { name: /New run/ })).toBeInTheDocument();
  await expectAccessible(container);
});

test("a run one rests on is read ahead, and opens with what was read", async () => {
  const run = aRun({ title: "Fix the parser", steps: 40 });
  const { user, daemon } = renderRoom(<RunsRoom />, {
    at: "/runs",
    script: {
      runs: listOf([run, aRun({ title: "Passed over" })]),
      show: () => aRunView({ id: run.id }),
      steps: { run: run.id, head_seq: 1, steps: [], total: 40 },
    },
  });
  await user.hover(await screen.findByRole("option", { name: /Passed over/ }));
  await user.hover(screen.getByRole("option", { name: /Fix the parser/ }));
  await waitFor(() => expect(daemon.requests("steps")).toHaveLength(1));
  expect(daemon.requests("show")).toEqual([{ run: run.id, ops: "none" }]);
  expect(daemon.requests("steps")[0]).toMatchObject({ run: run.id, from: 32 });
});

test("without a daemon the buttons say why they do nothing", async () => {
  const { user } = renderRoom(<RunsRoom />, {
    at: "/runs",
    script: { runs: listOf([aRun({ title: "Paused one", state: "paused", open_reviews: 0 })]) },
  });
  const row = await screen.findByRole("option", { name: /Paused one/ });
  await user.keyboard("{Control>}a{/Control}");
  useConnection.setState({
    connection: {
      state: "lost",
      since: Date.now(),
      nextTryAt: Date.now() + 60_000,
      error: new CallError({ code: "unreachable", message: "It is gone.", hint: "" }),
    },
  });
  expect(row).toBeVisible();
  await waitFor(() => expect(screen.getByRole("button", { name: /^Resume/ })).toBeDisabled());
  expect(screen.getAllByText("Not connected to the daemon").length).toBeGreaterThan(0);
});

test("one run can be forked from the list, from its newest checkpoint", async () => {
  const run = aRun({ title: "Fix the parser" });
  const { user } = renderRoom(<RunsRoom />, {
    at: "/runs",
    script: { runs: listOf([run, aRun({ title: "Other" })]) },
  });
  await screen.findByRole("option", { name: /Fix the parser/ });
  await user.keyboard("{Control>}a{/Control}");
  expect(screen.queryByRole("button", { name: "Fork…" })).toBeNull();
  await user.keyboard("{Control>}");
  await user.click(screen.getByRole("option", { name: /Other/ }));
  await user.keyboard("{/Control}");
  await user.click(await screen.findByRole("button", { name: "Fork…" }));
  expect(useTravel.getState().travel).toEqual({ run: run.id, checkpoint: null, how: "fork" });
});
