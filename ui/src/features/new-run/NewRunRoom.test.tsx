import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import type { ProjectFacts, Setting } from "../../ipc/bindings";
import { CallError } from "../../ipc/errors";
import type { Script } from "../../ipc/transport/fake";
import { aBackend, aDesktop, ago, aRun } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { EMPTY, missing, problems, requestOf, useDraft } from "./draft";
import { NewRunRoom } from "./NewRunRoom";

beforeEach(() => useDraft.setState(EMPTY));

const facts: ProjectFacts = {
  path: "/home/ada/parser",
  exists: true,
  git: true,
  branch: "main",
  uncommitted: 2,
  verify_guesses: ["cargo test", "make test"],
  instructions: ["AGENTS.md"],
  estimate: { runs: 5, cost_usd: "0.42", duration_s: 245 },
  note: null,
};

const cost: Setting = {
  name: "max_cost_usd",
  group: "Budgets",
  title: "Cost",
  help: "",
  value: "5",
  default: "5",
  kind: { type: "text" },
  dangerous: null,
  restart: false,
};

const script: Script = {
  backend_list: { backends: [aBackend(), aBackend({ name: "gpt", kind: "openai" })] },
  projects: {
    projects: [{ path: "/home/ada/parser", runs: 5, last_used_at: ago(60), cost_usd: "2" }],
  },
  project: ({ path }) => ({ ...facts, path, exists: path === facts.path }),
  settings: { settings: [cost] },
  start_run: { id: "r1", estimate: null, notes: ["2 changes are left out."] },
};

test("a run is started by keyboard alone, from what is obvious and what is said", async () => {
  const { user, daemon, visited, container } = renderRoom(<NewRunRoom />, { script });
  await user.click(await screen.findByRole("button", { name: "Recent" }));
  await user.click(await screen.findByRole("menuitem", { name: "parser (5 runs)" }));
  expect(await screen.findByText(/git, on main · reads AGENTS.md/)).toBeVisible();
  expect(screen.getByText("2 uncommitted changes in this folder")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Use cargo test" }));
  expect(screen.getByRole("textbox", { name: "Verify command" })).toHaveValue("cargo test");
  expect(screen.getByText("$5.00 if empty")).toBeVisible();
  expect(screen.getByText("Say what is to be done")).toBeVisible();
  const prompt = screen.getByRole("textbox", { name: "What is to be done" });
  await user.type(prompt, "Fix the parser");
  expect(screen.getByText(/Earlier runs here took about/)).toHaveTextContent(
    "Earlier runs here took about $0.42 and 4 min 5 s of work (median of 5 runs).",
  );
  await expectAccessible(container);
  await user.keyboard("{Control>}{Enter}{/Control}");
  await waitFor(() => expect(visited).toEqual(["/runs/r1/timeline"]));
  expect(daemon.requests("start_run")).toEqual([
    expect.objectContaining({
      prompt: "Fix the parser",
      project: "/home/ada/parser",
      backend: "claude",
      verify: "cargo test",
      max_cost_usd: null,
      workspace: null,
      fallback: [],
    }),
  ]);
  expect(await screen.findByText("2 changes are left out.")).toBeVisible();
  expect(useDraft.getState()).toMatchObject({ prompt: "", project: "/home/ada/parser" });
});

test("the daemon's refusal is shown and nothing typed is lost", async () => {
  const { user, daemon } = renderRoom(<NewRunRoom />, { script });
  daemon.answer("start_run", () => {
    throw new CallError({ code: "usage", message: "No such model.", hint: "Choose another." });
  });
  useDraft.setState({ project: facts.path, prompt: "Fix the parser" });
  await user.click(await screen.findByRole("button", { name: "Start the run" }));
  expect(await screen.findByText("No such model.")).toBeVisible();
  expect(screen.getByRole("textbox", { name: "What is to be done" })).toHaveValue("Fix the parser");
});

test("on the desktop the folder is chosen in the system's dialog", async () => {
  const chooseFolder = vi.fn(async () => facts.path);
  const { user } = renderRoom(<NewRunRoom />, { script, native: aDesktop({ chooseFolder }) });
  await user.click(await screen.findByRole("button", { name: "Choose…" }));
  expect(await screen.findByText(/git, on main/)).toBeVisible();
});

test("in a browser the folder is chosen from the daemon's folders", async () => {
  const { user } = renderRoom(<NewRunRoom />, {
    script: {
      ...script,
      folders: ({ path }) =>
        path === facts.path
          ? { path: facts.path, parent: "/home/ada", folders: [] }
          : { path: "/home/ada", parent: "/home", folders: [{ name: "parser", git: true }] },
    },
  });
  await user.click(await screen.findByRole("button", { name: "Choose…" }));
  const dialog = await screen.findByRole("dialog", { name: "Choose a project folder" });
  await user.click(await within(dialog).findByRole("button", { name: /parser/ }));
  expect(await within(dialog).findByText("No folders in it")).toBeVisible();
  await user.click(within(dialog).getByRole("button", { name: "Choose this folder" }));
  expect(await screen.findByText(/git, on main/)).toBeVisible();
});

test("a folder that is not there and a limit that is no number are said at their fields", async () => {
  const { user } = renderRoom(<NewRunRoom />, { script });
  await user.type(await screen.findByRole("textbox", { name: "Project folder" }), "/nowhere");
  expect(await screen.findByText("There is no such folder")).toBeVisible();
  await user.type(screen.getByRole("textbox", { name: "Cost, USD" }), "cheap");
  expect(screen.getByText("An amount like 5 or 0.50")).toBeVisible();
});

test("more choices: in the folder itself, instead of whom, after what", async () => {
  const other = aRun({ title: "The first part" });
  const { user, daemon } = renderRoom(<NewRunRoom />, {
    script: { ...script, runs: { runs: [other], cursor: "s.1", partial: false } },
  });
  useDraft.setState({ project: facts.path, prompt: "Second part" });
  await user.click(await screen.findByRole("button", { name: "More choices" }));
  await user.click(screen.getByRole("button", { name: /Where it works/ }));
  await user.click(await screen.findByRole("option", { name: /In the folder itself/ }));
  expect(screen.getByText("The agent changes your own files")).toBeVisible();
  await user.click(screen.getByRole("switch", { name: "gpt" }));
  await user.click(screen.getByRole("button", { name: /^As soon as.*Start$/ }));
  await user.click(await screen.findByRole("option", { name: /The first part/ }));
  await user.click(screen.getByRole("button", { name: "Start the run" }));
  await waitFor(() =>
    expect(daemon.requests("start_run")[0]).toMatchObject({
      workspace: "in-place",
      fallback: ["gpt"],
      after: other.id,
    }),
  );
});

test("without a backend there is the way to one", async () => {
  renderRoom(<NewRunRoom />, { script: { ...script, backend_list: { backends: [] } } });
  expect(await screen.findByRole("link", { name: "Add a key or an agent" })).toHaveAttribute(
    "href",
    "#/welcome",
  );
});

test("numbers as people write them become limits", () => {
  const draft = {
    ...EMPTY,
    backend: "claude",
    fallback: ["claude", "gpt"],
    hours: "1.5",
    tokens: "2,000,000",
    cost: "0.5",
  };
  expect(requestOf(draft)).toMatchObject({
    max_duration_s: 5400,
    max_tokens: 2_000_000,
    max_cost_usd: "0.5",
    fallback: ["gpt"],
  });
  expect(problems({ ...EMPTY, cost: "0", hours: "x" })).toMatchObject({
    cost: "More than nothing",
  });
  expect(missing({ ...draft, project: "/p", prompt: "x", hours: "x" }, 1)).toBe(
    "A limit is not a number",
  );
});
