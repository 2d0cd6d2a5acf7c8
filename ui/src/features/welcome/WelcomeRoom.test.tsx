import { screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import { Button } from "../../components/Button";
import { CallError } from "../../ipc/errors";
import { aBackend } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { WelcomeRoom } from "./WelcomeRoom";

const room = (
  <WelcomeRoom
    addKey={(added) => <Button onPress={() => added("claude")}>Pretend to add</Button>}
    agents={() => <p>The agents</p>}
    atLogin={<p>The start at login</p>}
  />
);

test("three ways in; a key leads to a new run with it", async () => {
  const { user, visited, container } = renderRoom(room);
  await expectAccessible(container);
  await user.click(screen.getByRole("button", { name: "Use an agent you have" }));
  expect(screen.getByText("The agents")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Add a key" }));
  expect(screen.queryByText("The agents")).toBeNull();
  await user.click(screen.getByRole("button", { name: "Pretend to add" }));
  expect(visited).toEqual(["/new?backend=claude"]);
  expect(await screen.findByText("claude is ready")).toBeVisible();
});

test("the rehearsal is said to be simulated, and is shown when it has begun", async () => {
  const { user, visited } = renderRoom(room, {
    script: { rehearsal: { run: "r1", project: "/home/ada/rehearsal", backend: "rehearsal" } },
  });
  expect(screen.getByText(/Labelled as simulated/)).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Try the rehearsal" }));
  await user.click(screen.getByRole("button", { name: "Start the rehearsal" }));
  await waitFor(() => expect(visited).toEqual(["/runs/r1/timeline"]));
});

test("what keeps the rehearsal from starting is said, with what to do", async () => {
  const { user } = renderRoom(room, {
    script: {
      rehearsal: () => {
        throw new CallError({ code: "conflict", message: "One is going on.", hint: "Open it." });
      },
    },
  });
  await user.click(screen.getByRole("button", { name: "Try the rehearsal" }));
  await user.click(screen.getByRole("button", { name: "Start the rehearsal" }));
  expect(await screen.findByText("One is going on. Open it.")).toBeVisible();
});

test("who has a backend already can start at once", async () => {
  const { user, visited } = renderRoom(room, {
    script: { backend_list: { backends: [aBackend(), aBackend({ name: "r", simulated: true })] } },
  });
  expect(await screen.findByText("1 backend can be used: claude")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Start a run" }));
  expect(visited).toEqual(["/new"]);
});
