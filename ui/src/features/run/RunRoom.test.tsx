import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { CallError } from "../../ipc/errors";
import { ago, ahead, aReview } from "../../test/fixtures";
import { expectAccessible } from "../../test/render";
import { RUN, room } from "../../test/run";

it("says where it is, who really answered, and what it has used of what it may", async () => {
  const { container } = room({ model: "claude-opus-5", answered_by: ["claude-sonnet-5"] });
  expect(await screen.findByRole("heading", { level: 1, name: "Fix the parser" })).toBeVisible();
  expect(screen.getByText("Running")).toBeVisible();
  expect(screen.getByTitle("These models answered")).toHaveTextContent("claude-sonnet-5");
  expect(screen.getByRole("meter", { name: "Cost" })).toHaveAttribute("aria-valuetext", "8 %");
  expect(screen.getByText(/of 4 h/)).toBeVisible();
  expect(await screen.findByRole("img", { name: "7 events in the last 10 minutes" })).toBeVisible();
  await expectAccessible(container);
});

it("asks for the run without its operations", async () => {
  const { daemon } = room();
  await screen.findByRole("heading", { name: "Fix the parser" });
  expect(daemon.requests("show")).toEqual([{ run: RUN, ops: "none" }]);
});

it("names a wait's cause and its end", async () => {
  room({ state: "waiting", cause: "rate_limit", causes: ["rate_limit"], until: ahead(300) });
  expect(await screen.findByText("Waiting for a rate limit")).toBeVisible();
  expect(screen.getAllByText(/in (4 min 5\d s|5 min)/).length).toBeGreaterThan(0);
});

it("pauses with p, and asks before it cancels", async () => {
  const { user, daemon } = room(
    {},
    { pause: { runs: [] }, cancel: { id: RUN, state: "cancelled" } },
  );
  await screen.findByRole("button", { name: "Pause" });
  await user.keyboard("p");
  await waitFor(() => expect(daemon.requests("pause")).toEqual([{ runs: { one: RUN } }]));
  await user.click(screen.getByRole("button", { name: "More actions" }));
  await user.click(await screen.findByRole("menuitem", { name: /Cancel the run/ }));
  expect(daemon.requests("cancel")).toHaveLength(0);
  const dialog = await screen.findByRole("alertdialog");
  await user.click(within(dialog).getByRole("button", { name: "Cancel the run" }));
  await waitFor(() => expect(daemon.requests("cancel")).toEqual([{ run: RUN }]));
});

it("puts the recovery briefing on top of an interrupted run, with resume beside it", async () => {
  const { user, daemon, container } = room(
    {
      state: "interrupted",
      cause: "reboot",
      recovery: {
        cause: "reboot",
        detail: "1 call was in flight",
        at: ago(60),
        briefing: "`cargo publish` may have happened.",
      },
    },
    { resume: { runs: [] } },
  );
  const briefing = await screen.findByRole("region", { name: "Recovery briefing" });
  expect(briefing).toHaveTextContent("may have happened");
  await expectAccessible(container);
  await user.click(within(briefing).getByRole("button", { name: "Resume" }));
  expect(daemon.requests("resume")).toEqual([{ runs: { one: RUN } }]);
});

it("leads to its open review", async () => {
  const { user, visited } = room({
    state: "waiting",
    cause: "review",
    reviews: [aReview({ id: "rev-1", run: RUN })],
  });
  await user.click(await screen.findByRole("button", { name: /Decide/ }));
  expect(visited).toEqual(["/inbox/rev-1"]);
});

it("shows what failed when it cannot be read", async () => {
  const { container } = room(
    {},
    {
      show: () => {
        throw new CallError({ code: "not_found", message: "There is no such run", hint: "" });
      },
    },
  );
  expect(await screen.findByText("There is no such run")).toBeVisible();
  await expectAccessible(container);
});

it("stays readable without a daemon and says why nothing can be done", async () => {
  const { daemon } = room();
  await screen.findByText(/I run the tests, step 3/);
  daemon.setReachable(false);
  daemon.cut();
  await waitFor(() => expect(screen.getByRole("button", { name: /^Pause/ })).toBeDisabled());
  expect(screen.getByText(/I run the tests, step 3/)).toBeVisible();
  expect(screen.getAllByText("Not connected to the daemon").length).toBeGreaterThan(0);
});
