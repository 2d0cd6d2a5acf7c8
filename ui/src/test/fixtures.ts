import type {
  BackendView,
  CatchUp,
  DaemonStatus,
  Event,
  EventFrame,
  LogEntry,
  OpView,
  PolicyLayer,
  PolicyView,
  ReviewDetail,
  ReviewFigures,
  ReviewView,
  RunSummary,
  RunView,
  WebhookState,
} from "../ipc/bindings";
import type { Native, StreamItem } from "../ipc/client";

// Complete documents with plain values; a test names only what it is about.

let next = 0;

/** An id like the daemon's, different each time. */
export function anId(): string {
  next += 1;
  return `019a0000-0000-7000-8000-${next.toString(16).padStart(12, "0")}`;
}

/** A moment so many seconds before now. */
export function ago(seconds: number): string {
  return new Date(Date.now() - seconds * 1000).toISOString();
}

/** A moment so many seconds from now. */
export function ahead(seconds: number): string {
  return ago(-seconds);
}

export function aRun(over: Partial<RunSummary> = {}): RunSummary {
  return {
    id: anId(),
    state: "running",
    cause: null,
    causes: [],
    title: "Fix the parser",
    project: "/home/ada/parser",
    backend: "claude",
    kind: "anthropic",
    model: "claude-sonnet-5",
    until: null,
    detail: null,
    now: null,
    answered_by: ["claude-sonnet-5"],
    max_cost_usd: "5",
    max_duration_s: 14400,
    used_duration_s: 240,
    tool_calls: 12,
    steps: 7,
    open_reviews: 0,
    cost_usd: "0.4213",
    unsettled_cost_usd: "0",
    created_at: ago(600),
    updated_at: ago(5),
    heard_at: ago(2),
    ended_at: null,
    simulated: false,
    ...over,
  };
}

export function aRunView(over: Partial<RunView> = {}): RunView {
  return {
    id: anId(),
    state: "running",
    cause: null,
    causes: [],
    detail: null,
    until: null,
    backend: "claude",
    kind: "anthropic",
    model: "claude-sonnet-5",
    answered_by: ["claude-sonnet-5"],
    project: "/home/ada/parser",
    title: "Fix the parser",
    prompt: "Fix the parser so that nested lists are read.",
    verify: "cargo test",
    policy: "balanced",
    fallback: [],
    after: null,
    fork: null,
    priority: 0,
    workspace: {
      kind: "clone",
      path: "/home/ada/.local/share/longhaul/workspaces/1",
      branch: "longhaul/fix-the-parser",
      base: "a1b2c3d",
      left_out: 0,
      discarded: false,
    },
    progress: { done: 1, total: 3, now: "cargo test", plan: [] },
    steps: 7,
    attempts: 1,
    ops: [],
    usage: { input: 12000, output: 3400, cache_read: 90000, cache_write: 8000, requests: 7 },
    cost_usd: "0.4213",
    unsettled_cost_usd: "0",
    unpriced_requests: 0,
    budget: {
      max_cost_usd: "5",
      max_tokens: 5_000_000,
      max_tool_calls: 500,
      max_duration_s: 14400,
      used_cost_usd: "0.4213",
      used_tokens: 23400,
      used_tool_calls: 12,
      used_duration_s: 240,
    },
    checkpoints: [],
    reviews: [],
    result: null,
    partial_result: null,
    recovery: null,
    created_at: ago(600),
    started_at: ago(590),
    ended_at: null,
    updated_at: ago(5),
    simulated: false,
    ...over,
  };
}

export function aReview(over: Partial<ReviewView> = {}): ReviewView {
  return {
    id: anId(),
    run: anId(),
    run_title: "Fix the parser",
    run_project: "/home/ada/parser",
    run_state: "waiting",
    run_cost_usd: "0.4213",
    op: 14,
    kind: "tool_call",
    state: "open",
    title: "Run `git push origin main`",
    why: "Commands that reach other machines are reviewed (balanced).",
    detail: "git push origin main",
    choices: [
      { id: "approve", label: "Approve", effect: "The command runs once." },
      { id: "reject", label: "Reject", effect: "The agent is told no and goes on." },
    ],
    requested_at: ago(300),
    snoozed_until: null,
    answer: null,
    effective_at: null,
    ended_at: null,
    withdrawn: null,
    low_risk: false,
    always: false,
    editable: true,
    arguments: '{\n  "command": "git push origin main"\n}',
    ...over,
  };
}

export function aReviewDetail(over: Partial<ReviewDetail> = {}): ReviewDetail {
  const run = over.run ?? aRun({ state: "waiting", causes: ["review"], cause: "review" });
  return {
    review: aReview({ run: run.id, run_title: run.title }),
    run,
    before: [],
    op: null,
    ...over,
  };
}

export function anOp(over: Partial<OpView> = {}): OpView {
  return {
    id: 1,
    step: 1,
    kind: "tool",
    name: "shell",
    summary: "cargo test",
    class: "at-most-once",
    mode: "gated",
    state: "finished",
    outcome: "ok",
    started_at: ago(60),
    ended_at: ago(50),
    tokens: null,
    cost_usd: null,
    ...over,
  };
}

export function aStatus(over: Partial<DaemonStatus> = {}): DaemonStatus {
  return {
    pid: 4711,
    version: "0.1.0",
    home: "/home/ada/.local/share/longhaul",
    socket: "/run/user/1000/longhaul/daemon.sock",
    uptime_s: 3600,
    mode: "normal",
    trouble: null,
    slots: 4,
    slots_used: 1,
    runs: { running: 1 },
    open_reviews: 0,
    listen: null,
    protocol: 1,
    cursor: "s.1",
    ...over,
  };
}

export function aBackend(over: Partial<BackendView> = {}): BackendView {
  return {
    name: "claude",
    kind: "anthropic",
    base_url: null,
    model: "claude-sonnet-5",
    command: null,
    free: false,
    key: { from: "keychain" },
    simulated: false,
    added_at: ago(86400),
    promises: [
      { of: "cost", kept: "yes", words: "Exact: the API's own count at the price book's rates." },
      { of: "resume", kept: "yes", words: "Exactly where it was, also after a crash." },
    ],
    ...over,
  };
}

export function anEntry(event: Event, over: Partial<LogEntry> = {}): LogEntry {
  return { seq: 1, at: ago(10), event, ...over };
}

let cursor = 100;

/** A recorded event as the stream sends it. */
export function aFrame(run: string, event: Event, over: Partial<LogEntry> = {}): StreamItem {
  cursor += 1;
  const frame: EventFrame = { cursor: `s.${cursor}`, run, entry: anEntry(event, over) };
  return { type: "event", frame };
}

/** A piece of streaming text. */
export function aDelta(run: string, op: number, text: string): StreamItem {
  return { type: "delta", delta: { run, op, kind: "text", at: ago(0), text } };
}

/** A desktop that does nothing but what the test gives it. */
export function aDesktop(over: Partial<Native> = {}): Native {
  return {
    chooseFolder: async () => null,
    openExternal: async () => {},
    openWorkspace: async () => {},
    setBadge: async () => {},
    autostart: async () => false,
    setAutostart: async () => {},
    saveText: async () => true,
    perform: async () => {},
    startDaemon: async () => {},
    onOpen: async () => () => {},
    ...over,
  };
}

/** Figures of a month in which people had their say. */
export const someFigures = (): ReviewFigures => ({
  since: ago(30 * 86_400),
  asked: 12,
  kinds: [{ kind: "tool_call", count: 12 }],
  calls: 80,
  calls_asked: 12,
  asked_per_mille: 150,
  decided: 10,
  median_ms: 42_000,
  undone: 1,
  rolled_back: 1,
  reverted_per_mille: 181,
  rules: [{ rule: "network writes are reviewed", verdict: "review", calls: 12 }],
  idle_rules: [
    {
      rule_id: "user:no-npm",
      name: "nothing is published",
      outcome: "deny",
      source: "your rules",
      project: null,
      file: "/home/ada/.local/share/longhaul/policy.toml",
    },
    {
      rule_id: "always:ruin",
      name: "what ruins a machine is refused",
      outcome: "deny",
      source: "what no preset allows",
      project: null,
      file: null,
    },
  ],
  idle_since: ago(20 * 86_400),
});

/** What somebody is told who was away for an hour. */
export const aCatchUp = (over: Partial<CatchUp> = {}): CatchUp => ({
  since: ago(3600),
  looked_before: true,
  cursor: "s.7",
  runs: [],
  applied: [],
  decisions: [],
  allowed: 40,
  refused: 2,
  open_reviews: 1,
  live: 3,
  cost_usd: "1.25",
  more: false,
  ...over,
});

/** A webhook to which everything was delivered. */
export const aWebhook = (over: Partial<WebhookState> = {}): WebhookState => ({
  host: "hooks.example.com",
  events: ["reviews", "runs"],
  key: { from: "keychain" },
  ok: true,
  words: "everything was delivered",
  waiting: 0,
  given_up: 0,
  next_at: null,
  delivered_at: ago(120),
  ...over,
});

export const aLayer = (over: Partial<PolicyLayer> = {}): PolicyLayer => ({
  source: "user",
  title: "your rules",
  file: "/home/ada/.local/share/longhaul/policy.toml",
  state: "read",
  trouble: null,
  left_out: 0,
  rules: [],
  ...over,
});

/** The rules in force for a project whose own are not trusted. */
export const aPolicy = (layers: Partial<Record<string, Partial<PolicyLayer>>> = {}): PolicyView => {
  const all = [
    aLayer({
      source: "always",
      title: "what no preset allows",
      file: null,
      state: "built_in",
      rules: [
        { id: "ruin", name: "what destroys data or stops the machine is refused", outcome: "deny" },
      ],
    }),
    aLayer({
      source: "balanced",
      title: "the preset balanced",
      file: null,
      state: "built_in",
      rules: [
        { id: "looking", name: "what only looks is allowed", outcome: "allow" },
        { id: "beyond", name: "what reaches beyond the workspace is reviewed", outcome: "review" },
      ],
    }),
    aLayer({
      rules: [{ id: "mirror", name: "our package mirror is fine", outcome: "allow" }],
    }),
    aLayer({
      source: "project",
      title: "the project's rules",
      file: "/home/ada/parser/.longhaul/policy.toml",
      state: "only_tightens",
      left_out: 2,
      rules: [{ id: "fixtures", name: "fixtures are reviewed", outcome: "review" }],
      written: {
        text: '[[rule]]\nname = "fetching is fine"\noutcome = "allow"\ncommands = ["git fetch"]\n',
        digest: "9a7c1e55f0",
        loosens: [
          { id: "fetching", name: "fetching is fine", outcome: "allow" },
          { id: "installing", name: "installing is fine", outcome: "allow" },
        ],
      },
    }),
    aLayer({
      source: "here",
      title: "your rules for this project",
      rules: [{ id: "allowed-0a1b2c3d4e", name: "git push origin topic", outcome: "allow" }],
    }),
  ];
  return {
    project: "/home/ada/parser",
    preset: "balanced",
    layers: all.map((layer) => ({ ...layer, ...layers[layer.source] })),
  };
};
