import { describe, expect, it } from "vitest";
import type { Event, StepView } from "../../ipc/bindings";
import { anOp } from "../../test/fixtures";
import { axisMarks, extent, laneTotals, traceRows } from "./trace";

const T0 = Date.parse("2026-11-21T08:00:00.000Z");
const at = (second: number): string => new Date(T0 + second * 1000).toISOString();
const NOW = T0 + 100_000;

const step = (over: Partial<StepView>): StepView => ({
  step: 1,
  at: at(0),
  ended_at: null,
  entries: [],
  ops: [],
  truncated: false,
  undone: false,
  ...over,
});

const asked = (id: string): Event => ({
  kind: "review_requested",
  review: {
    id,
    run: "r",
    kind: "tool_call",
    title: "shell: git push",
    why: "",
    detail: "",
    choices: [],
    requested_at: T0,
    state: "open",
  },
});

describe("traceRows", () => {
  it("puts ops into their lanes, in the order they began", () => {
    const rows = traceRows(
      [
        step({
          ops: [
            anOp({ id: 2, started_at: at(10), ended_at: at(30) }),
            anOp({ id: 1, kind: "model", name: "m-1", started_at: at(0), ended_at: at(10) }),
          ],
        }),
      ],
      NOW,
    );
    expect(rows.map((row) => [row.lane, row.start - T0, row.end - T0])).toEqual([
      ["model", 0, 10_000],
      ["tool", 10_000, 30_000],
    ]);
  });

  it("draws what goes on up to now, and what never began without length", () => {
    const [going, never] = traceRows(
      [
        step({
          ops: [
            anOp({ id: 1, state: "started", started_at: at(5), ended_at: null }),
            anOp({ id: 2, state: "intended", started_at: null, ended_at: null }),
          ],
        }),
      ],
      NOW,
    ).sort((a, b) => (a.op ?? 0) - (b.op ?? 0));
    expect(going).toMatchObject({ end: NOW, open: true });
    expect(never).toMatchObject({ start: T0, end: T0, never: true, open: false });
  });

  it("follows an approval over steps from asking to deciding", () => {
    const decided: Event = {
      kind: "review_decided",
      review: "r1",
      answer: { choice: "approve", by: "cli", at: T0 },
    };
    const rows = traceRows(
      [
        step({ entries: [{ seq: 1, at: at(1), event: asked("r1") }] }),
        step({ step: 2, entries: [{ seq: 2, at: at(61), event: decided }] }),
      ],
      NOW,
    );
    expect(rows).toMatchObject([{ lane: "approval", step: 1, open: false }]);
    expect((rows[0]?.end ?? 0) - (rows[0]?.start ?? 0)).toBe(60_000);
  });

  it("leaves an open wait open, and shows the pause before a retry as failed waiting", () => {
    const rows = traceRows(
      [
        step({
          entries: [
            { seq: 1, at: at(1), event: { kind: "wait_began", cause: "rate_limit", detail: "" } },
            {
              seq: 2,
              at: at(2),
              event: {
                kind: "op_retried",
                op: 1,
                error: { kind: "server", message: "500" },
                next_at: T0 + 17_000,
              },
            },
          ],
        }),
      ],
      NOW,
    );
    expect(rows).toMatchObject([
      { lane: "wait", label: "rate_limit", end: NOW, open: true },
      { lane: "wait", label: "retry", end: T0 + 17_000, failed: true },
    ]);
  });

  it("tells how long nothing happened before a bar", () => {
    const rows = traceRows(
      [
        step({
          ops: [
            anOp({ id: 1, started_at: at(0), ended_at: at(30) }),
            anOp({ id: 2, started_at: at(5), ended_at: at(10) }),
            anOp({ id: 3, started_at: at(42), ended_at: at(43) }),
          ],
        }),
      ],
      NOW,
    );
    expect(rows.map((row) => row.gapBefore)).toEqual([0, 0, 12_000]);
  });
});

describe("laneTotals", () => {
  it("counts parallel calls once", () => {
    const rows = traceRows(
      [
        step({
          ops: [
            anOp({ id: 1, started_at: at(0), ended_at: at(10) }),
            anOp({ id: 2, started_at: at(5), ended_at: at(15) }),
          ],
        }),
      ],
      NOW,
    );
    expect(laneTotals(rows).get("tool")).toBe(15_000);
  });
});

describe("axis", () => {
  it("has few round marks at any length", () => {
    for (const length of [3, 950, 61_000, 3_600_000, 5 * 86_400_000]) {
      const marks = axisMarks(length);
      expect(marks.length).toBeGreaterThan(0);
      expect(marks.length).toBeLessThanOrEqual(7);
    }
    expect(axisMarks(60_000)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
  });

  it("has an extent that is never empty", () => {
    expect(extent([])).toBeNull();
    const rows = traceRows([step({ ops: [anOp({ started_at: at(1), ended_at: at(1) })] })], NOW);
    const reach = extent(rows);
    expect((reach?.end ?? 0) > (reach?.start ?? 0)).toBe(true);
  });
});
