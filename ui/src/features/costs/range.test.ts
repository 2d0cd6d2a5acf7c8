import { expect, test } from "vitest";
import { forecast, momentsOf, rangeOf, thisMonth } from "./range";

const today = new Date(2026, 10, 21, 12);

test("the last seven days are today and six before", () => {
  expect(rangeOf("7", today, {})).toEqual({ from: "2026-11-15", to: "2026-11-21" });
  expect(rangeOf("30", today, {})).toEqual({ from: "2026-10-23", to: "2026-11-21" });
  expect(rangeOf("today", today, {})).toEqual({ from: "2026-11-21", to: "2026-11-21" });
});

test("a custom range may be given backwards; half a one is none", () => {
  const range = { from: "2026-11-10", to: "2026-11-01" };
  expect(rangeOf("custom", today, range)).toEqual({ from: "2026-11-01", to: "2026-11-10" });
  expect(rangeOf("custom", today, { from: "2026-11-10" }).to).toBe("2026-11-21");
});

test("a range's moments are whole days of the user's zone", () => {
  const { since, until } = momentsOf({ from: "2026-11-20", to: "2026-11-21" });
  expect(new Date(since)).toEqual(new Date(2026, 10, 20));
  expect(new Date(until)).toEqual(new Date(2026, 10, 22));
});

test("the forecast is the mean day times the month's days", () => {
  // 20.5 of 30 days: two thirds are over, so a half more is to come.
  expect(forecast(20_500_000_000n, today)).toBe(30_000_000_000n);
  expect(forecast(1n, new Date(2026, 10, 1, 3))).toBeNull();
  expect(thisMonth(today)).toEqual({ from: "2026-11-01", to: "2026-11-21" });
});
