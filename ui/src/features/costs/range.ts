import { dayOf } from "../../lib/time";

/** Which days are looked at: the first and the last, in the user's zone. */
export interface Range {
  from: string;
  to: string;
}

export const RANGES = ["today", "7", "30", "custom"] as const;
export type RangeId = (typeof RANGES)[number];

const DAY_MS = 24 * 3600 * 1000;

/** A day's first moment in the user's zone. */
function startOf(day: string): Date {
  const [year = 1970, month = 1, date = 1] = day.split("-").map(Number);
  return new Date(year, month - 1, date);
}

/** The day so many days after another; noon is in the same day on both sides of a clock change. */
function plusDays(day: string, days: number): string {
  const noon = startOf(day).getTime() + DAY_MS / 2;
  return dayOf(new Date(noon + days * DAY_MS));
}

export function rangeOf(id: RangeId, today: Date, custom: Partial<Range>): Range {
  const to = dayOf(today);
  if (id === "custom" && isDay(custom.from) && isDay(custom.to)) {
    return custom.from <= custom.to
      ? { from: custom.from, to: custom.to }
      : { from: custom.to, to: custom.from };
  }
  if (id === "today") return { from: to, to };
  return { from: plusDays(to, id === "30" || id === "custom" ? -29 : -6), to };
}

function isDay(text: string | undefined): text is string {
  return text !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(text);
}

/** The same as moments: from the first day's start to the end of the last. */
export function momentsOf(range: Range): { since: string; until: string } {
  return {
    since: startOf(range.from).toISOString(),
    until: startOf(plusDays(range.to, 1)).toISOString(),
  };
}

/** Minutes east of UTC. */
export const offsetMinutes = (at: Date): number => -at.getTimezoneOffset();

/**
 * What this month will have cost if the days to come are like the mean of those that were, in nano
 * dollars; null before there is a day to go by.
 */
export function forecast(spentNano: bigint, today: Date): bigint | null {
  const days = new Date(today.getFullYear(), today.getMonth() + 1, 0).getDate();
  const msOfMonth = today.getTime() - new Date(today.getFullYear(), today.getMonth(), 1).getTime();
  const passed = msOfMonth / DAY_MS;
  if (passed < 1) return null;
  // Thousandths of a day are exact enough, and keep the sum in integers.
  return (spentNano * BigInt(Math.round(days * 1000))) / BigInt(Math.round(passed * 1000));
}

/** From the first of the month until now. */
export function thisMonth(today: Date): Range {
  return { from: `${dayOf(today).slice(0, 8)}01`, to: dayOf(today) };
}
