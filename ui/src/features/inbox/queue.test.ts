import { describe, expect, it } from "vitest";
import { ago, aReview } from "../../test/fixtures";
import {
  groupQueue,
  keepSelection,
  moved,
  orderOf,
  sameAs,
  sameRuleAs,
  snoozeTimes,
  undecided,
} from "./queue";

const old = aReview({ id: "old", run: "b", requested_at: ago(900) });
const middle = aReview({ id: "middle", run: "a", kind: "question", requested_at: ago(600) });
const young = aReview({ id: "young", run: "b", requested_at: ago(60) });

describe("groupQueue", () => {
  it("puts the longest waiting first, groups and items alike", () => {
    const groups = groupQueue([young, middle, old], "run", (r) => r.run);
    expect(groups.map((g) => g.key)).toEqual(["b", "a"]);
    expect(orderOf(groups)).toEqual(["old", "young", "middle"]);
  });

  it("groups by kind", () => {
    const groups = groupQueue([middle, young, old], "kind", (r) => r.kind);
    expect(groups.map((g) => g.kind)).toEqual(["tool_call", "question"]);
  });
});

describe("equals", () => {
  const one = aReview({ id: "one", run: "a", same: "tool_call:1", requested_at: ago(500) });
  const two = aReview({ id: "two", run: "b", same: "tool_call:1", requested_at: ago(400) });

  it("are those that ask for the very same call, and nothing that asks for no call", () => {
    const all = [old, one, middle, two];
    expect(sameAs(one, all)).toEqual([one, two]);
    expect(sameAs(old, all)).toEqual([]);
    expect(sameAs(null, all)).toEqual([]);
  });

  it("stand together where they are grouped, everything else by itself", () => {
    const groups = groupQueue([two, middle, one, old], "same", (r) => r.title);
    expect(groups.map((g) => g.items.map((r) => r.id))).toEqual([
      ["old"],
      ["middle"],
      ["one", "two"],
    ]);
  });
});

describe("the same rule", () => {
  const push = aReview({ id: "push", rule_id: "balanced:beyond", requested_at: ago(500) });
  const publish = aReview({ id: "publish", rule_id: "balanced:beyond", requested_at: ago(400) });
  const here = aReview({ id: "here", rule_id: "project:ci", run_project: "/a" });
  const there = aReview({ id: "there", rule_id: "project:ci", run_project: "/b" });
  const all = [push, publish, here, there, old];

  it("groups what it asked about, and the rest apart", () => {
    const groups = groupQueue(all, "rule", (r) => r.rule_id ?? "none");
    const ids = groups.map((g) => g.items.map((r) => r.id));
    expect(ids).toEqual([["old"], ["push", "publish"], ["here"], ["there"]]);
  });

  it("is not the same in another project, and none is not one", () => {
    expect(sameRuleAs(push, all)).toEqual([push, publish]);
    expect(sameRuleAs(here, all)).toEqual([here]);
    expect(sameRuleAs(old, all)).toEqual([]);
  });
});

describe("keepSelection", () => {
  it("stays on the item however the list changes around it", () => {
    expect(keepSelection("b", ["a", "b", "c"], ["new", "c", "b", "a"])).toBe("b");
  });

  it("goes to the next one when the item is gone, not to one that came in", () => {
    expect(keepSelection("b", ["a", "b", "c"], ["new", "a", "c"])).toBe("c");
    expect(keepSelection("b", ["a", "b", "c"], ["new", "a"])).toBe("a");
    expect(keepSelection("b", ["b", "c", "d"], ["d"])).toBe("d");
  });

  it("takes the first where nothing of before is left", () => {
    expect(keepSelection("b", ["b"], ["x", "y"])).toBe("x");
    expect(keepSelection(null, [], ["x"])).toBe("x");
    expect(keepSelection("b", ["b"], [])).toBeNull();
  });
});

describe("moved", () => {
  it("stops at the ends", () => {
    expect(moved("a", ["a", "b"], -1)).toBe("a");
    expect(moved("b", ["a", "b"], 1)).toBe("b");
    expect(moved("a", ["a", "b"], 1)).toBe("b");
    expect(moved("gone", ["a", "b"], 1)).toBe("a");
  });
});

describe("undecided", () => {
  it("leaves out what was decided, here or elsewhere", () => {
    const elsewhere = aReview({ id: "elsewhere", state: "decided" });
    expect(undecided([old, elsewhere, young], new Set(["young"]))).toEqual([old]);
  });
});

describe("snoozeTimes", () => {
  it("offers half an hour, two hours and nine o'clock tomorrow", () => {
    const times = snoozeTimes(new Date(2026, 10, 21, 22, 0));
    expect(times.map((t) => t.seconds)).toEqual([1800, 7200, 11 * 3600]);
  });

  it("means this morning at night", () => {
    const [, , morning] = snoozeTimes(new Date(2026, 10, 21, 2, 0));
    expect(morning).toMatchObject({ label: "This morning, 9:00", seconds: 7 * 3600 });
  });
});
