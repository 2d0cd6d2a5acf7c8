import { RunRoom } from "../features/run/RunRoom";
import { useDrafts, useOpened } from "../features/run/run-state";
import type {
  Event,
  LogEntry,
  OpDetail,
  OpView,
  RunView,
  StepPage,
  StepView,
} from "../ipc/bindings";
import type { Script } from "../ipc/transport/fake";
import type { RunTab } from "../lib/places";
import { ago, anOp, aRunView } from "./fixtures";
import { renderRoom } from "./render";

// A run of some steps, each a call of the model and one of a tool, and the room that shows it.

export const RUN = "019a0000-0000-7000-8000-00000000abcd";

export function entries(step: number, events: (Event | [Event, string])[]): LogEntry[] {
  return events.map((event, i) => {
    const [what, text] = Array.isArray(event) ? event : [event, undefined];
    const seq = step * 100 + i + 1;
    return { seq, at: ago(600 - step * 10), event: what, ...(text === undefined ? {} : { text }) };
  });
}

export const intends = (op: OpView): Event => ({
  kind: "op_intended",
  op: op.id,
  step: op.step,
  op_kind: op.kind,
  name: op.name,
  class: op.class,
  mode: op.mode,
  args: "blob",
  digest: "d",
  summary: op.summary,
  decision: { verdict: "allow", rule: "reads only" },
});

export const finishes = (op: OpView): Event => ({
  kind: "op_finished",
  op: op.id,
  outcome: "ok",
  result: "blob",
  summary: "",
});

export function aStep(step: number, over: Partial<StepView> = {}): StepView {
  const model = anOp({
    id: step * 2,
    step,
    kind: "model",
    name: "claude-sonnet-5",
    summary: "",
    class: "pure",
    tokens: { input: 900, output: 120, cache_read: 0, cache_write: 0, requests: 1 },
    cost_usd: "0.0042",
  });
  const tool = anOp({ id: step * 2 + 1, step, summary: `cargo test ${step}` });
  return {
    step,
    at: ago(600 - step * 10),
    ended_at: ago(590 - step * 10),
    entries:
      step === 0
        ? entries(0, [[{ kind: "message_added", origin: "prompt", text: "b" }, "Fix the parser."]])
        : entries(step, [
            intends(model),
            [finishes(model), `I run the tests, step ${step}.`],
            intends(tool),
            [finishes(tool), "3 passed"],
            { kind: "checkpoint_taken", checkpoint: step, step, snapshot: "abc", messages: 4 },
          ]),
    ops: step === 0 ? [] : [model, tool],
    truncated: false,
    undone: false,
    ...over,
  };
}

export function pages(
  total: number,
  special: Record<number, StepView> = {},
): NonNullable<Script["steps"]> {
  return ({ from = 0, count }): StepPage => ({
    run: RUN,
    total,
    head_seq: total * 100,
    steps: Array.from({ length: Math.max(0, Math.min(count, total + 1 - from)) }, (_, i) => {
      const step = from + i;
      return special[step] ?? aStep(step, step === total ? { ended_at: null } : {});
    }),
  });
}

export const detail = (over: Partial<OpDetail> = {}): OpDetail => ({
  run: RUN,
  op: anOp(),
  arguments: '{\n  "command": "cargo test 3"\n}',
  edited: null,
  result: "running 3 tests\nall passed",
  full_bytes: null,
  blocks: [],
  verdict: "allow",
  rule: "reads only",
  error: null,
  call_id: "toolu_1",
  review: null,
  ...over,
});

export function room(view: Partial<RunView> = {}, script: Script = {}, tab: RunTab = "timeline") {
  useOpened.setState({ opened: new Set() });
  useDrafts.setState({ drafts: new Map() });
  const whole = aRunView({ id: RUN, steps: 3, ...view });
  return renderRoom(<RunRoom run={RUN} tab={tab} />, {
    at: `/runs/${RUN}/${tab}`,
    script: {
      show: whole,
      steps: pages(whole.steps),
      op: detail(),
      activity: { from: ago(600), bucket_s: 10, events: [1, 4, 2], tokens: [0, 0, 0] },
      ...script,
    },
  });
}
