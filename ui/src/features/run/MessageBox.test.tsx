import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { CallError } from "../../ipc/errors";
import { RUN, room } from "../../test/run";

it("says something at any time", async () => {
  const { user, daemon } = room({}, { message: { id: RUN, state: "running" } });
  await screen.findByRole("button", { name: "Pause" });
  await user.keyboard("m");
  const box = screen.getByRole("textbox", { name: "Message to the agent" });
  expect(box).toHaveFocus();
  await user.keyboard("Use nom{Control>}{Enter}{/Control}");
  await waitFor(() => expect(daemon.requests("message")).toEqual([{ run: RUN, text: "Use nom" }]));
  await waitFor(() => expect(box).toHaveValue(""));
});

it("says it to a failed run, then resumes it", async () => {
  const { user, daemon } = room(
    { state: "failed", cause: "verify", detail: "'cargo test' still fails" },
    { message: { id: RUN, state: "failed" }, resume: { runs: [] } },
  );
  const box = await screen.findByRole("textbox", { name: "Message to the agent" });
  await user.type(box, "Skip the flaky one");
  await user.click(screen.getByRole("button", { name: "Send and resume" }));
  await waitFor(() => expect(daemon.requests("resume")).toEqual([{ runs: { one: RUN } }]));
  expect(daemon.requests("message")).toHaveLength(1);
});

it("keeps what could not be sent", async () => {
  const { user } = room(
    {},
    {
      message: () => {
        throw new CallError({ code: "internal", message: "The disk is full", hint: "" });
      },
    },
  );
  const box = await screen.findByRole("textbox", { name: "Message to the agent" });
  await user.type(box, "Hello");
  await user.click(await screen.findByRole("button", { name: "Send" }));
  expect(await screen.findByText("The message was not sent")).toBeVisible();
  expect(box).toHaveValue("Hello");
});

it("leads on where nobody hears it any more", async () => {
  room({ state: "completed", project: "/home/ada/parser", backend: "claude" });
  expect(await screen.findByRole("link", { name: "Start a new run" })).toHaveAttribute(
    "href",
    "#/new?project=%2Fhome%2Fada%2Fparser&backend=claude",
  );
  expect(screen.queryByRole("textbox", { name: "Message to the agent" })).toBeNull();
});
