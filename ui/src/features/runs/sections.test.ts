import { expect, test } from "vitest";
import { aRun } from "../../test/fixtures";
import { keyOfRow, type RunFilter, rowsOf, sectionOf } from "./sections";

const all: RunFilter = { text: "", state: null, project: null, backend: null };
const none = new Set<string>();

test("a run that needs somebody stands first, whatever else it does", () => {
  expect(sectionOf(aRun({ state: "running", open_reviews: 1 }))).toBe("needs-you");
  expect(sectionOf(aRun({ state: "waiting", cause: "review" }))).toBe("needs-you");
  expect(sectionOf(aRun({ state: "waiting", cause: "rate_limit", open_reviews: 0 }))).toBe(
    "waiting",
  );
  expect(sectionOf(aRun({ state: "interrupted", open_reviews: 0 }))).toBe("interrupted");
  expect(sectionOf(aRun({ state: "verifying", open_reviews: 0 }))).toBe("running");
  // A review of a run that was cancelled is not for anybody any more.
  expect(sectionOf(aRun({ state: "cancelled", open_reviews: 1 }))).toBe("done");
});

test("sections come in the order in which one acts, empty ones not at all", () => {
  const done = aRun({ state: "completed", ended_at: "2026-11-20T10:00:00Z", open_reviews: 0 });
  const later = aRun({ state: "failed", ended_at: "2026-11-21T10:00:00Z", open_reviews: 0 });
  const waits = aRun({ state: "queued", open_reviews: 0 });
  const asks = aRun({ state: "waiting", cause: "review", open_reviews: 1 });
  expect(rowsOf([done, waits, later, asks], all, none).map(keyOfRow)).toEqual([
    "section-needs-you",
    asks.id,
    "section-waiting",
    waits.id,
    "section-done",
    later.id,
    done.id,
  ]);
});

test("a text is found in the list's own words, or where the daemon found it", () => {
  const here = aRun({ title: "Fix the parser", state: "running" });
  const there = aRun({ title: "Something else", project: "/home/ann/site", state: "running" });
  const text = { ...all, text: "PARSER" };
  expect(rowsOf([here, there], text, none).map(keyOfRow)).toContain(here.id);
  expect(rowsOf([here, there], text, none).map(keyOfRow)).not.toContain(there.id);
  expect(rowsOf([here, there], text, new Set([there.id])).map(keyOfRow)).toContain(there.id);
});
