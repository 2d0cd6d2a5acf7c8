import { screen, waitFor, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { BackendTest } from "../../ipc/bindings";
import { CallError } from "../../ipc/errors";
import { aBackend } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { AddKey } from "./AddKey";
import { BackendsPanel } from "./BackendsPanel";
import { FoundAgents } from "./FoundAgents";

const KEY = "sk-ant-test-key-not-real";
const works: BackendTest = {
  name: "new backend",
  ok: true,
  checks: [{ what: "usable", ok: true, detail: "12 models offered" }],
};
const fails: BackendTest = {
  name: "new backend",
  ok: false,
  checks: [{ what: "usable", ok: false, detail: "The API does not accept this key." }],
};

test("a key is tried before it is kept, and the backend gets a free name", async () => {
  const added = vi.fn();
  const { user, daemon, container } = renderRoom(<AddKey onAdded={added} />, {
    script: {
      backend_list: { backends: [aBackend({ name: "claude" })] },
      probe: works,
      backend_add: ({ name }) => aBackend({ name }),
    },
  });
  expect(screen.getByRole("button", { name: /Test and add/ })).toBeDisabled();
  const key = screen.getByLabelText("Key");
  expect(key).toHaveAttribute("type", "password");
  await user.type(key, KEY);
  await user.click(screen.getByRole("button", { name: "Test and add" }));
  await waitFor(() => expect(added).toHaveBeenCalledWith("claude-2"));
  expect(daemon.requests("probe")[0]).toMatchObject({
    kind: "anthropic",
    key: { from: "keychain", key: KEY },
  });
  expect(daemon.requests("backend_add")[0]).toMatchObject({
    name: "claude-2",
    key: { from: "keychain", key: KEY },
  });
  expect(screen.getByLabelText("Key")).toHaveValue("");
  await expectAccessible(container);
});

test("a key that does not work is not kept: it is said why, and one may insist", async () => {
  const { user, daemon } = renderRoom(<AddKey onAdded={() => {}} />, {
    script: { probe: fails, backend_add: ({ name }) => aBackend({ name }) },
  });
  await user.type(screen.getByLabelText("Key"), "sk-wrong-not-real");
  expect(screen.getByText(/Keys of Anthropic begin with sk-ant-/)).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Test and add" }));
  expect(await screen.findByText(/The API does not accept this key/)).toBeVisible();
  expect(daemon.requests("backend_add")).toEqual([]);
  await user.click(screen.getByRole("button", { name: "Add it all the same" }));
  await waitFor(() => expect(daemon.requests("backend_add")).toHaveLength(1));
});

test("a server on this machine needs an address and no key", async () => {
  const { user, daemon } = renderRoom(<AddKey onAdded={() => {}} />, {
    script: { probe: works, backend_add: ({ name }) => aBackend({ name }) },
  });
  await user.click(screen.getByRole("button", { name: /Provider/ }));
  await user.click(await screen.findByRole("option", { name: /Another server/ }));
  expect(screen.getByRole("switch", { name: "Its calls cost nothing" })).toBeChecked();
  expect(screen.getByRole("button", { name: "Test and add" })).toBeDisabled();
  await user.type(screen.getByRole("textbox", { name: "Model" }), "qwen4");
  await user.click(screen.getByRole("button", { name: "Test and add" }));
  await waitFor(() => expect(daemon.requests("backend_add")).toHaveLength(1));
  expect(daemon.requests("backend_add")[0]).toMatchObject({
    name: "local",
    kind: "openai",
    base_url: "http://localhost:11434/v1",
    model: "qwen4",
    free: true,
    key: null,
  });
});

test("agents on this machine: what each needs, and a button only for those that can be used", async () => {
  const added = vi.fn();
  const { user, daemon } = renderRoom(<FoundAgents onAdded={added} />, {
    script: {
      agents_found: {
        agents: [
          {
            name: "Claude Code",
            program: "claude",
            path: "/usr/bin/claude",
            version: "2.1.0",
            kind: "claude-code",
            needs: "A login of its own.",
            added_as: [],
          },
          {
            name: "Codex",
            program: "codex",
            path: "/usr/bin/codex",
            version: null,
            kind: null,
            needs: "This version cannot supervise it yet.",
            added_as: [],
          },
          {
            name: "OpenCode",
            program: "opencode",
            path: null,
            version: null,
            kind: "acp",
            needs: "",
            added_as: [],
          },
          {
            name: "Gemini CLI",
            program: "gemini",
            path: "/usr/bin/gemini",
            version: "0.61.0",
            command: "/usr/bin/gemini --acp",
            kind: "acp",
            needs: "A login of its own.",
            added_as: [],
          },
        ],
      },
      backend_add: ({ name }) => aBackend({ name, kind: "claude-code" }),
    },
  });
  await user.click(await screen.findByRole("button", { name: "Use Claude Code" }));
  await waitFor(() => expect(added).toHaveBeenCalledWith("claude"));
  expect(daemon.requests("backend_add")[0]).toMatchObject({
    kind: "claude-code",
    command: "/usr/bin/claude",
  });
  await user.click(screen.getByRole("button", { name: "Use Gemini CLI" }));
  await waitFor(() => expect(added).toHaveBeenCalledWith("gemini"));
  expect(daemon.requests("backend_add")[1]).toMatchObject({
    kind: "acp",
    command: "/usr/bin/gemini --acp",
  });
  expect(screen.queryByRole("button", { name: "Use Codex" })).toBeNull();
  expect(screen.getByText("Not on this machine")).toBeVisible();
});

test("a model server on this machine is added with its first model, free of charge", async () => {
  const added = vi.fn();
  const server = { kind: "openai" as const, added_as: [], models: ["qwen4:8b", "llama5"] };
  const { user, daemon } = renderRoom(<FoundAgents onAdded={added} />, {
    script: {
      agents_found: {
        agents: [],
        servers: [
          { ...server, name: "LM Studio", base_url: "http://127.0.0.1:1234/v1" },
          { ...server, name: "Ollama", base_url: "http://127.0.0.1:11434/v1", added_as: ["own"] },
        ],
      },
      backend_add: ({ name }) => aBackend({ name, kind: "openai" }),
    },
  });
  await user.click(await screen.findByRole("button", { name: "Use LM Studio" }));
  await waitFor(() => expect(added).toHaveBeenCalledWith("lm-studio"));
  expect(daemon.requests("backend_add")[0]).toMatchObject({
    kind: "openai",
    base_url: "http://127.0.0.1:1234/v1",
    model: "qwen4:8b",
    free: true,
  });
  expect(screen.queryByRole("button", { name: "Use Ollama" })).toBeNull();
  expect(screen.getByText("Added as own")).toBeVisible();
});

test("what a run can count on is said in the daemon's words", async () => {
  const words = "No price is known of qwen4.";
  const promises = [{ of: "cost" as const, kept: "no" as const, words }];
  const { user } = renderRoom(<BackendsPanel />, {
    script: { backend_list: { backends: [aBackend({ promises })] } },
  });
  await user.click(await screen.findByText("What a run on it can count on (1 with exceptions)"));
  expect(screen.getByText(words)).toBeVisible();
  expect(screen.getByLabelText("no")).toBeVisible();
});

test("a backend can be tried, given another key and removed after asking", async () => {
  const { user, daemon, container } = renderRoom(<BackendsPanel />, {
    script: {
      backend_list: { backends: [aBackend()] },
      backend_test: { ...fails, name: "claude" },
      probe: works,
      backend_key: aBackend(),
      backend_remove: { name: "claude" },
    },
  });
  const card = await screen.findByRole("listitem", { name: "claude" });
  expect(card).toHaveTextContent("Key in the system's keychain");
  await user.click(within(card).getByRole("button", { name: "Test claude" }));
  expect(await within(card).findByText(/does not accept this key/)).toBeVisible();

  await user.click(within(card).getByRole("button", { name: "More for claude" }));
  await user.click(await screen.findByRole("menuitem", { name: "Replace the key…" }));
  const dialog = await screen.findByRole("dialog", { name: "Key of claude" });
  await user.type(within(dialog).getByLabelText("Key"), KEY);
  await user.click(within(dialog).getByRole("button", { name: "Test and replace" }));
  expect(await screen.findByText("claude has its new key")).toBeVisible();
  expect(daemon.requests("backend_key")[0]).toEqual({
    name: "claude",
    key: { from: "keychain", key: KEY },
  });

  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await user.click(within(card).getByRole("button", { name: "More for claude" }));
  await user.click(await screen.findByRole("menuitem", { name: "Remove…" }));
  const sure = await screen.findByRole("alertdialog", { name: "Remove claude?" });
  await user.click(within(sure).getByRole("button", { name: "Remove" }));
  await waitFor(() => expect(daemon.requests("backend_remove")).toEqual([{ name: "claude" }]));
  await expectAccessible(container);
});

test("without a keychain the daemon's own words are shown", async () => {
  const { user } = renderRoom(<AddKey onAdded={() => {}} />, {
    script: {
      probe: works,
      backend_add: () => {
        throw new CallError({
          code: "credential",
          message: "The system's keychain is locked.",
          hint: "Unlock it, or let a command print the key.",
        });
      },
    },
  });
  await user.type(screen.getByLabelText("Key"), KEY);
  await user.click(screen.getByRole("button", { name: "Test and add" }));
  expect(await screen.findByText("The system's keychain is locked.")).toBeVisible();
  expect(screen.getByText(/let a command print the key/)).toBeVisible();
});
