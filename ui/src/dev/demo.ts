import type { ReviewView, RunSummary, WebhookState } from "../ipc/bindings";
import type { Transport } from "../ipc/client";
import { fakeTransport } from "../ipc/transport/fake";
import {
  aBackend,
  aCatchUp,
  aDelta,
  aFrame,
  ago,
  ahead,
  anEntry,
  aPolicy,
  aReview,
  aRun,
  aStatus,
  aWebhook,
  someFigures,
} from "../test/fixtures";
import {
  demoAgents,
  demoCost,
  demoHealth,
  demoLimits,
  demoSeries,
  demoSettings,
} from "./demo-rooms";
import { demoDiff, demoOp, demoRunView, demoSteps } from "./demo-run";

const STATES = [
  { state: "running", now: "cargo test -p parser" },
  { state: "waiting", causes: ["review"], cause: "review", open_reviews: 1 },
  {
    state: "waiting",
    causes: ["rate_limit"],
    cause: "rate_limit",
    until: "soon",
    detail: "claude allows the next call then",
  },
  {
    state: "interrupted",
    cause: "daemon_died",
    detail: "The daemon was killed in the middle of a command.",
  },
  { state: "paused" },
  { state: "completed", ended_at: ago(900) },
  { state: "failed", cause: "verify", detail: "cargo test still fails", ended_at: ago(4000) },
  { state: "queued" },
] as const;
const TITLES = [
  "Fix the parser",
  "Port the tests to vitest",
  "Write the migration guide",
  "Find the leak in the worker pool",
];

function demoRuns(many: number): RunSummary[] {
  return Array.from({ length: many }, (_, i) => {
    const base = STATES[i % STATES.length];
    return aRun({
      ...base,
      causes: base && "causes" in base ? [...base.causes] : [],
      until: base && "until" in base ? ahead(240) : null,
      id: `019a0000-0000-7000-8000-${(many - i).toString(16).padStart(12, "0")}`,
      title: TITLES[i % TITLES.length] ?? "",
      project: ["/home/ada/parser", "/home/ada/site"][i % 2] ?? "",
      created_at: ago(i * 400 + 600),
      cost_usd: ((i * 37) % 500) / 100 > 0 ? (((i * 37) % 470) / 100).toString() : "0",
    });
  });
}

function demoReviews(runs: readonly RunSummary[]): ReviewView[] {
  const of = (i: number) => ({
    run: runs[i]?.id ?? "",
    run_title: runs[i]?.title ?? "",
    run_project: runs[i]?.project ?? "",
  });
  return [
    aReview({ ...of(1), requested_at: ago(1500) }),
    aReview({
      ...of(1),
      kind: "sensitive_change",
      title: "Change .github/workflows/release.yml",
      why: "It changes what runs with the project's secrets.",
      detail: demoDiff.diff,
      requested_at: ago(900),
    }),
    aReview({
      ...of(9),
      kind: "question",
      title: "Which of the two lexers is the one in use?",
      why: "The agent asks.",
      detail: "Both `lexer.rs` and `lex2.rs` are compiled. Which one should I change?",
      choices: [],
      editable: false,
      arguments: null,
      requested_at: ago(300),
    }),
    aReview({
      ...of(3),
      kind: "in_doubt",
      title: "Did `npm publish` happen?",
      why: "The daemon died while it ran; nothing tells whether it was done.",
      detail:
        "npm publish --access public\n\nstarted 07:13:02, last output 07:13:04: npm notice Publishing to registry",
      choices: [
        { id: "happened", label: "It happened", effect: "The agent is told so and goes on." },
        { id: "again", label: "Run it again", effect: "The command is run once more." },
        { id: "skip", label: "Leave it", effect: "The agent is told that it was not done." },
      ],
      editable: false,
      requested_at: ago(60),
    }),
  ];
}

/** Made-up data for looking at the interface without a daemon (`npm run dev`, then `?fake`). */
export function demoTransport(): Transport {
  const asked = new URLSearchParams(window.location.search);
  const isNew = asked.has("new");
  const runs = isNew ? [] : demoRuns(Number(asked.get("fake")) || 64);
  let reviews = isNew ? [] : demoReviews(runs);
  let webhook: WebhookState | null = isNew
    ? null
    : aWebhook({
        ok: false,
        waiting: 3,
        words: "3 wait to be delivered; the last try failed: it cannot be reached",
        next_at: ahead(140),
      });
  let policy = aPolicy();
  const daemon = fakeTransport({
    status: () => aStatus({ open_reviews: reviews.length, runs: { running: 8, waiting: 16 } }),
    runs: ({ since }) => ({
      runs: since ? runs.slice(0, 1).map((r) => ({ ...r, steps: Date.now() % 100 })) : runs,
      cursor: "s.2",
      partial: false,
    }),
    show: ({ run }) => demoRunView({ ...runs.find((r) => r.id === run) }),
    steps: ({ run, from, count }) => demoSteps(run, from ?? 0, count ?? 50),
    op: ({ run, op }) => demoOp(run, op),
    diff: ({ run }) => ({ run, ...demoDiff }),
    apply: ({ run }) => ({ run, target: "longhaul/1f0a7c2e", commit: "5f3c9a1be07d", paths: [] }),
    logs: ({ run }) => ({
      run,
      entries: demoSteps(run, 0, 6).steps.flatMap((s) => s.entries),
      next: null,
    }),
    activity: {
      from: ago(3600),
      bucket_s: 60,
      events: Array.from({ length: 60 }, (_, i) => Math.round(8 + 7 * Math.sin(i / 4))),
      tokens: Array.from({ length: 60 }, (_, i) => Math.round(900 + 700 * Math.cos(i / 5))),
    },
    reviews: ({ status }) => ({
      reviews: status === "decided" || status === "snoozed" ? [] : reviews,
    }),
    review: ({ review }) => {
      const found = reviews.find((r) => r.id === review) ?? aReview();
      const said = anEntry({ kind: "noted", text: "The tests pass now." }, { at: ago(400) });
      return {
        review: found,
        run: runs.find((r) => r.id === found.run) ?? aRun(),
        before: [said],
        op: null,
      };
    },
    decide: ({ review, choice, grace_ms }) => {
      const run = reviews.find((r) => r.id === review)?.run ?? "";
      reviews = reviews.filter((r) => r.id !== review);
      return { review, run, choice, effective_at: ahead((grace_ms ?? 0) / 1000) };
    },
    catch_up: aCatchUp(),
    review_figures: someFigures(),
    backend_list: {
      backends: isNew
        ? []
        : [
            aBackend(),
            aBackend({
              name: "local",
              kind: "openai",
              base_url: "http://localhost:11434/v1",
              model: "qwen4",
              free: true,
              key: { from: "none" },
            }),
            aBackend({
              name: "rehearsal",
              kind: "rehearsal",
              simulated: true,
              key: { from: "none" },
            }),
          ],
    },
    backend_test: ({ name }) => ({
      name,
      ok: true,
      checks: [{ what: "usable", ok: true, detail: "12 models offered" }],
    }),
    probe: {
      name: "new backend",
      ok: false,
      checks: [{ what: "usable", ok: false, detail: "The API does not accept this key (401)." }],
    },
    agents_found: demoAgents,
    cost: ({ by }) => demoCost(by ?? "day"),
    cost_series: ({ since, until }) => demoSeries(since, until),
    limits: demoLimits,
    health: demoHealth,
    doctor: {
      ok: true,
      findings: [{ level: "ok", area: "Journal", what: "Every event is readable.", advice: null }],
    },
    log_lines: {
      lines: [{ at: ago(60), level: "INFO", target: "longhaul_engine", message: "run started" }],
    },
    settings: { settings: demoSettings },
    setting: ({ name, value }) => ({
      ...(demoSettings.find((s) => s.name === name) ?? (demoSettings[0] as never)),
      value,
    }),
    webhook: () => ({ webhook }),
    webhook_set: ({ events }) => {
      webhook = aWebhook({ events, delivered_at: null });
      return { webhook };
    },
    webhook_remove: () => {
      webhook = null;
      return { webhook };
    },
    webhook_test: { ok: true, words: "it was taken", delivery: "4f1c.test.1795" },
    policy: () => policy,
    policy_trust: ({ trusted }) => {
      policy = aPolicy({
        project: trusted ? { state: "read", left_out: 0 } : { state: "only_tightens" },
      });
      return policy;
    },
    policy_remove: () => {
      policy = aPolicy({ here: { rules: [] } });
      return policy;
    },
    policy_test: ({ command }) => ({
      verdict: "review",
      why: "what reaches beyond the workspace is reviewed: it reads from x.example",
      rule_id: "balanced:beyond",
      parts: [
        {
          program: command,
          effect: "reads from the network",
          because: "curl",
          verdict: "review",
          rule_id: "balanced:beyond",
          rule: "what reaches beyond the workspace is reviewed",
          source: "the preset balanced",
        },
      ],
    }),
    projects: {
      projects: [{ path: "/home/ada/parser", runs: 5, last_used_at: ago(60), cost_usd: "2.1" }],
    },
    project: ({ path }) => ({
      path,
      exists: path.startsWith("/home"),
      git: true,
      branch: "main",
      uncommitted: 2,
      verify_guesses: ["cargo test", "make test"],
      instructions: ["AGENTS.md"],
      estimate: { runs: 5, cost_usd: "0.42", duration_s: 245 },
      note: null,
    }),
    folders: {
      path: "/home/ada",
      parent: "/home",
      folders: [
        { name: "parser", git: true },
        { name: "site", git: true },
        { name: "notes", git: false },
      ],
    },
  });
  busyWork(daemon, runs, Number(asked.get("events")) || 0);
  return daemon;
}

/** So many events and pieces of text a second, to see whether the interface keeps up. */
function busyWork(
  daemon: ReturnType<typeof fakeTransport>,
  runs: readonly RunSummary[],
  perSecond: number,
): void {
  if (perSecond === 0) return;
  setInterval(() => {
    for (let i = 0; i < perSecond / 20; i++) {
      const run = runs[i % 5]?.id ?? "";
      daemon.push(aFrame(run, { kind: "noted", text: "busy" }), aDelta(run, 48, "word "));
    }
  }, 50);
}
