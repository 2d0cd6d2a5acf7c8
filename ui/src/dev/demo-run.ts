import type { Event, LogEntry, OpDetail, RunView, StepPage, StepView } from "../ipc/bindings";
import { ago, anOp, aRunView } from "../test/fixtures";

const DIFF = `diff --git a/src/lexer.rs b/src/lexer.rs
index 83db48f..bf2a1c1 100644
--- a/src/lexer.rs
+++ b/src/lexer.rs
@@ -12,7 +12,9 @@ impl Lexer {
     pub fn next(&mut self) -> Option<Token> {
         self.skip_space();
         let start = self.at;
-        match self.peek()? {
+        // A list may stand in a list: its end is not ours.
+        self.depth += 1;
+        match self.peek_ahead()? {
             '[' => Some(self.list(start)),
             _ => Some(self.word(start)),
         }
diff --git a/tests/nested.rs b/tests/nested.rs
new file mode 100644
--- /dev/null
+++ b/tests/nested.rs
@@ -0,0 +1,6 @@
+#[test]
+fn a_list_in_a_list() {
+    let parsed = parser::parse("[a [b c] d]").unwrap();
+    assert_eq!(parsed.depth(), 2);
+    assert_eq!(parsed.to_string(), "[a [b c] d]");
+}
`;

export const demoDiff = {
  diff: DIFF,
  files: ["src/lexer.rs", "tests/nested.rs"],
  hunks: [
    { path: "src/lexer.rs", number: 1, digest: "1e4e7" },
    { path: "tests/nested.rs", number: 1, digest: "9e57e" },
  ],
};

const COMMANDS = ["cargo test -p parser", "rg -n 'fn next' src", "src/lexer.rs", "cargo clippy"];
const SAID =
  "The lexer loses the **inner** list because `next` stops at the first `]`.\n\nI will:\n\n1. count the depth,\n2. add a test for a list in a list,\n3. run the tests again.";

let seq = 0;
const entry = (at: string, event: Event, text?: string): LogEntry => {
  seq += 1;
  return { seq, at, event, ...(text ? { text } : {}) };
};

const opsOf = (step: number, now: boolean) => {
  const at = ago((40 - step) * 45);
  const [model, tool] = [step * 2 - 1, step * 2];
  return [
    anOp({
      id: model,
      step,
      kind: "model",
      name: "claude-sonnet-5",
      summary: "claude-sonnet-5",
      class: "pure",
      started_at: at,
      ended_at: ago((40 - step) * 45 - 9),
      tokens: { input: 820, output: 240, cache_read: 18_000, cache_write: 900, requests: 1 },
      cost_usd: "0.0134",
    }),
    anOp({
      id: tool,
      step,
      name: step % 4 === 3 ? "edit" : "shell",
      summary: COMMANDS[step % 4] ?? "",
      started_at: ago((40 - step) * 45 - 10),
      state: now ? "started" : "finished",
      outcome: now ? null : step % 7 === 0 ? "error" : "ok",
      ended_at: now ? null : ago((40 - step) * 45 - 22),
    }),
  ];
};

function entriesOf(step: number, now: boolean): LogEntry[] {
  const at = ago((40 - step) * 45);
  const [model, tool] = [step * 2 - 1, step * 2];
  const intended = { args: "b", digest: "d", decision: { verdict: "allow" as const, rule: "" } };
  return [
    entry(at, { kind: "step_started", step }),
    entry(at, {
      kind: "op_intended",
      op: model,
      step,
      op_kind: "model",
      name: "claude-sonnet-5",
      class: "pure",
      mode: "gated",
      summary: "claude-sonnet-5",
      ...intended,
    }),
    entry(at, { kind: "op_started", op: model }),
    entry(
      at,
      { kind: "op_finished", op: model, outcome: "ok", result: "b", summary: "2 blocks" },
      SAID,
    ),
    entry(at, {
      kind: "op_intended",
      op: tool,
      step,
      op_kind: "tool",
      name: step % 4 === 3 ? "edit" : "shell",
      class: "at-most-once",
      mode: "gated",
      summary: COMMANDS[step % 4] ?? "",
      ...intended,
    }),
    entry(at, { kind: "op_started", op: tool }),
    ...(now
      ? []
      : [
          entry(
            at,
            {
              kind: "op_finished",
              op: tool,
              outcome: step % 7 === 0 ? "error" : "ok",
              result: "b",
              summary: step % 7 === 0 ? "exit 101" : "exit 0",
            },
            "running 14 tests\ntest nested::a_list_in_a_list ... ok\n\ntest result: ok. 14 passed",
          ),
        ]),
    ...(step % 5 === 0
      ? [
          entry(at, {
            kind: "checkpoint_taken",
            checkpoint: step / 5,
            step,
            snapshot: "a1b2",
            messages: step * 2,
          }),
        ]
      : []),
  ];
}

const STEPS = 24;

const first = (): StepView => ({
  step: 0,
  at: ago(1900),
  ended_at: ago(1800),
  ops: [],
  truncated: false,
  undone: false,
  entries: [
    entry(ago(1900), { kind: "queued", reason: "new" }),
    entry(ago(1890), { kind: "started", backend: "claude", model: "claude-sonnet-5" }),
    entry(ago(1880), {
      kind: "workspace_ready",
      mode: "clone",
      path: "/home/ada/.local/share/longhaul/workspaces/1",
      branch: "longhaul/fix-the-parser",
    }),
    entry(
      ago(1880),
      { kind: "message_added", origin: "prompt", text: "b" },
      "Fix the parser so that nested lists are read. Do not change the public API.",
    ),
  ],
});

const stepOf = (step: number): StepView => ({
  step,
  at: ago((40 - step) * 45),
  ended_at: step === STEPS ? null : ago((39 - step) * 45),
  entries: entriesOf(step, step === STEPS),
  ops: opsOf(step, step === STEPS),
  truncated: false,
  undone: false,
});

export function demoSteps(run: string, from: number, count: number): StepPage {
  const wanted = Array.from({ length: count }, (_, i) => from + i).filter((s) => s <= STEPS);
  return {
    run,
    total: STEPS,
    head_seq: 400,
    steps: wanted.map((step) => (step === 0 ? first() : stepOf(step))),
  };
}

export function demoRunView(over: Partial<RunView>): RunView {
  return aRunView({
    ops: Array.from({ length: STEPS }, (_, i) => opsOf(i + 1, i + 1 === STEPS)).flat(),
    progress: {
      done: 1,
      total: 3,
      now: "cargo test -p parser",
      plan: [
        { text: "Find where the inner list is lost", state: "done" },
        { text: "Count the depth in the lexer", state: "active" },
        { text: "Add a test", state: "pending" },
      ],
    },
    checkpoints: [1, 2, 3, 4].map((n) => ({
      id: `cp${n}`,
      step: n * 5,
      at: ago(1800 - n * 225),
      undone: false,
    })),
    ...over,
    // The list's runs are all alike; what is shown of this one has so many.
    steps: STEPS,
  });
}

export function demoOp(run: string, op: number): OpDetail {
  const found = opsOf(Math.ceil(op / 2), false).find(({ id }) => id === op) ?? anOp({ id: op });
  const isModel = found.kind === "model";
  return {
    run,
    op: found,
    arguments: isModel ? "{}" : `{\n  "command": "${found.summary}"\n}`,
    result: isModel ? null : "running 14 tests\n\u001b[32mok\u001b[0m. 14 passed; 0 failed",
    full_bytes: null,
    blocks: isModel
      ? [
          { kind: "thinking", text: "The test fails at the second bracket…" },
          { kind: "text", text: SAID },
        ]
      : [],
    verdict: "allow",
    rule: "commands inside the workspace are allowed (balanced)",
    edited: null,
    error: null,
    call_id: null,
    review: null,
  };
}
