const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `4 min ago`, `in 2 h`, `just now`. */
export function relative(at: string | number, now: number): string {
  const ms = (typeof at === "number" ? at : Date.parse(at)) - now;
  if (!Number.isFinite(ms)) return "unknown";
  const abs = Math.abs(ms);
  if (abs < 10_000) return ms > 0 ? "in a moment" : "just now";
  const words = coarse(abs);
  return ms > 0 ? `in ${words}` : `${words} ago`;
}

/** One unit is enough for "how long ago". */
function coarse(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / 1000)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  const days = Math.floor(ms / DAY);
  if (days < 60) return `${days} d`;
  return days < 730 ? `${Math.floor(days / 30.4)} months` : `${Math.floor(days / 365.25)} years`;
}

/** How often a relative time must be looked at again, in ms. */
export function tickFor(at: string | number, now: number): number {
  const abs = Math.abs((typeof at === "number" ? at : Date.parse(at)) - now);
  return abs < 2 * MINUTE ? 1000 : 30_000;
}

const EXACT = new Intl.DateTimeFormat("en-GB", {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

/** The exact time in the user's zone: `21 Nov 2026, 07:15:19 UTC`. */
export function exact(at: string | number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "unknown" : EXACT.format(date);
}

/** Time as it is counted for a budget, where less than a second is no time at all. */
export const wholeSeconds = (seconds: number): string =>
  seconds < 1 ? "under 1 s" : duration(seconds * 1000);

/** `850 ms`, `12 s`, `4 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 0 || !Number.isFinite(ms)) return "0 s";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toString()} s`;
  if (ms < MINUTE) return `${Math.floor(ms / 1000)} s`;
  const two = (big: number, bigName: string, small: number, smallName: string) =>
    small > 0 ? `${big} ${bigName} ${small} ${smallName}` : `${big} ${bigName}`;
  if (ms < HOUR) return two(Math.floor(ms / MINUTE), "min", Math.floor((ms % MINUTE) / 1000), "s");
  if (ms < DAY) return two(Math.floor(ms / HOUR), "h", Math.floor((ms % HOUR) / MINUTE), "min");
  return two(Math.floor(ms / DAY), "d", Math.floor((ms % DAY) / HOUR), "h");
}

/** A countdown in whole seconds: `in 4 min 5 s`; `any moment` once it is over. */
export function countdown(until: string | number, now: number): string {
  const ms = (typeof until === "number" ? until : Date.parse(until)) - now;
  if (!Number.isFinite(ms)) return "";
  if (ms <= 0) return "any moment";
  return `in ${duration(Math.max(1000, Math.ceil(ms / 1000) * 1000)).replace(".0", "")}`;
}

/** The calendar day in the user's zone, `2026-11-21`. */
export function dayOf(date: Date): string {
  const two = (value: number) => value.toString().padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
