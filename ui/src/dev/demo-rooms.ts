import type { CostReport, CostRow, Health, Setting } from "../ipc/bindings";
import { ago, ahead, aStatus } from "../test/fixtures";

const row = (key: string, cost: string, over: Partial<CostRow> = {}): CostRow => ({
  key,
  usage: {
    input: 820_000,
    output: 41_000,
    cache_read: 9_400_000,
    cache_write: 310_000,
    requests: 214,
  },
  cost_usd: cost,
  reported_usd: "0",
  estimated_usd: "0",
  unsettled_cost_usd: "0",
  unpriced_requests: 0,
  cache_saved_usd: "3.2",
  ...over,
});

export function demoCost(by: CostReport["by"]): CostReport {
  const keys =
    by === "day"
      ? ["2026-11-19", "2026-11-20", "2026-11-21"]
      : ["claude-sonnet-5", "gpt-5.4", "qwen4"];
  return {
    by,
    since: null,
    rows: [
      row(keys[0] ?? "", "14.2313"),
      row(keys[1] ?? "", "3.91", { reported_usd: "3.91", unsettled_cost_usd: "0.12" }),
      row(keys[2] ?? "", "0", { unpriced_requests: 31, cache_saved_usd: null }),
    ],
    total: row("", "18.1413", {
      reported_usd: "3.91",
      unsettled_cost_usd: "0.12",
      unpriced_requests: 31,
    }),
  };
}

export function demoSeries(since: string, until: string) {
  const days: string[] = [];
  for (let at = Date.parse(since); at <= Date.parse(until) && days.length < 31; at += 86_400_000) {
    days.push(new Date(at).toISOString().slice(0, 10));
  }
  const wave = (phase: number, size: number) =>
    days.map((_, i) => (size * (1 + Math.sin(i / 2 + phase))).toFixed(4));
  return {
    days,
    keys: ["claude-sonnet-5", "gpt-5.4", "claude-haiku-5-5"],
    values: [wave(0, 1.4), wave(2, 0.6), wave(4, 0.2)],
    unsettled: days.map(() => "0"),
    unpriced_requests: days.map(() => 0),
  };
}

export const demoHealth = (): Health => ({
  daemon: aStatus(),
  disk: [
    { what: "Journal", path: "/home/ada/.local/share/longhaul/journal.db", bytes: 412_000_000 },
    { what: "Texts", path: "/home/ada/.local/share/longhaul/blobs", bytes: 1_830_000_000 },
    {
      what: "Workspaces",
      path: "/home/ada/.local/share/longhaul/workspaces",
      bytes: 5_200_000_000,
    },
  ],
  free_bytes: 182_000_000_000,
  backups: [
    {
      file: "/home/ada/.local/share/longhaul/backups/2026-11-21.db",
      at: ago(7200),
      bytes: 410_000_000,
      verified: true,
    },
    {
      file: "/home/ada/.local/share/longhaul/backups/2026-11-20.db",
      at: ago(93_600),
      bytes: 398_000_000,
      verified: true,
    },
  ],
  live: [],
  service: {
    installed: true,
    running: true,
    offered: false,
    words: "systemd starts the daemon at login.",
  },
  keychain: { ok: true, words: "The system's keychain answers." },
  sandbox: { available: true, used: true, detail: "commands run in bubblewrap, with the network" },
});

export const demoLimits = () => ({
  limits: [
    {
      name: "claude",
      backends: ["claude"],
      state: "paused",
      cause: "429: too many tokens a minute",
      until: ahead(240),
      in_flight: 0,
      waiting: 3,
    },
    {
      name: "gpt",
      backends: ["gpt"],
      state: "open",
      cause: null,
      until: null,
      in_flight: 1,
      waiting: 0,
    },
  ],
});

const setting = (over: Partial<Setting>): Setting => ({
  name: "slots",
  group: "Work",
  title: "Runs at a time",
  help: "So many runs work at the same time; others wait in the queue.",
  value: 4,
  default: 4,
  kind: { type: "number", min: 1, max: 64, unit: "runs" },
  dangerous: null,
  restart: false,
  ...over,
});

export const demoSettings: Setting[] = [
  setting({
    name: "policy",
    title: "Policy",
    help: "Which operations of a run are reviewed, where its task does not say.",
    value: "hands-off",
    default: "balanced",
    dangerous: "With “hands off”, agents run commands and change files without asking.",
    kind: {
      type: "choice",
      choices: [
        { id: "careful", label: "Careful", effect: "Every change and command is reviewed." },
        { id: "balanced", label: "Balanced", effect: "Sensitive ones are." },
        { id: "hands-off", label: "Hands off", effect: "No tool call asks." },
      ],
    },
  }),
  setting({}),
  setting({
    name: "chunk_s",
    title: "Turn length",
    help: "A run lets others go first after so much work, when some wait.",
    value: 900,
    default: 600,
    kind: { type: "number", min: 10, max: 86_400, unit: "s" },
  }),
  setting({
    name: "max_cost_usd",
    group: "Budgets of new runs",
    title: "Cost",
    help: "In dollars, such as 5 or 0.50. At the cap a run waits and asks you.",
    value: "5",
    default: "5",
    kind: { type: "text" },
  }),
  setting({
    name: "max_duration_s",
    group: "Budgets of new runs",
    title: "Working time",
    help: "Only running and verifying count.",
    value: 14_400,
    default: 14_400,
    kind: { type: "number", min: 1, max: 9e6, unit: "s" },
  }),
  setting({
    name: "notify",
    group: "Notifications",
    title: "Notifications",
    help: "Whether anything is told on the desktop.",
    value: true,
    default: true,
    kind: { type: "flag" },
  }),
];

export const demoAgents = {
  servers: [
    {
      name: "Ollama",
      kind: "openai" as const,
      base_url: "http://127.0.0.1:11434/v1",
      models: ["qwen4:8b", "llama5:latest"],
      added_as: [],
    },
  ],
  agents: [
    {
      name: "Claude Code",
      program: "claude",
      path: "/usr/bin/claude",
      version: "2.1.0 (Claude Code)",
      kind: "claude-code" as const,
      needs: "A login of its own: run `claude` once in a terminal.",
      added_as: [],
    },
    {
      name: "Codex",
      program: "codex",
      path: "/usr/bin/codex",
      version: "0.169.0",
      command: "/usr/bin/codex",
      kind: "codex" as const,
      needs: "A login of its own: run `codex login` once in a terminal.",
      added_as: [],
    },
    {
      name: "Gemini CLI",
      program: "gemini",
      path: "/usr/bin/gemini",
      version: "0.61.0",
      command: "/usr/bin/gemini --acp",
      kind: "acp" as const,
      needs: "A login of its own: run `gemini` once in a terminal. Or a key.",
      added_as: [],
    },
  ],
};
