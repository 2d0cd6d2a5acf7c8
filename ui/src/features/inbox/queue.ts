import type { ReviewKind, ReviewView } from "../../ipc/bindings";

export type Grouping = "run" | "kind" | "rule" | "same";

export interface Group {
  key: string;
  title: string;
  /** The run's id, where grouped by run. */
  run: string | null;
  kind: ReviewKind | null;
  items: ReviewView[];
}

const byAge = (a: ReviewView, b: ReviewView): number =>
  a.requested_at < b.requested_at ? -1 : a.requested_at > b.requested_at ? 1 : a.id < b.id ? -1 : 1;

/** Groups in the order of their longest waiting item, and the longest waiting first in each. */
export function groupQueue(
  reviews: readonly ReviewView[],
  by: Grouping,
  titleOf: (review: ReviewView) => string,
): Group[] {
  const groups = new Map<string, Group>();
  for (const review of [...reviews].sort(byAge)) {
    const key = keyBy(review, by);
    const group = groups.get(key) ?? {
      key,
      title: titleOf(review),
      run: by === "run" ? review.run : null,
      kind: by === "kind" ? review.kind : null,
      items: [],
    };
    group.items.push(review);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function keyBy(review: ReviewView, by: Grouping): string {
  if (by === "run") return review.run;
  if (by === "rule") return ruleOf(review) ?? "";
  // What nothing else can ask for is a group of its own.
  return by === "kind" ? review.kind : (review.same ?? review.id);
}

/** All that ask for the very same call as this one, itself among them. */
export function sameAs(review: ReviewView | null, all: readonly ReviewView[]): ReviewView[] {
  if (!review?.same) return [];
  return all.filter((other) => other.same === review.same);
}

/** The rule that asked. Rules of a single project are different ones in each. */
export function ruleOf(review: ReviewView): string | null {
  if (!review.rule_id) return null;
  const ofProject = /^(project|here):/.test(review.rule_id);
  return ofProject ? `${review.rule_id} in ${review.run_project}` : review.rule_id;
}

/** All that the same rule asked about as this one, itself among them. */
export function sameRuleAs(review: ReviewView | null, all: readonly ReviewView[]): ReviewView[] {
  const rule = review && ruleOf(review);
  return rule ? all.filter((other) => ruleOf(other) === rule) : [];
}

/** The ids as they stand on screen, top to bottom. */
export function orderOf(groups: readonly Group[]): string[] {
  return groups.flatMap((group) => group.items.map((item) => item.id));
}

/**
 * Which item is under the cursor after the list changed. The same one as long as it is there.
 * When it is gone, the one that stood after it then, else the one before it: never one that has
 * just come in above.
 */
export function keepSelection(
  selected: string | null,
  before: readonly string[],
  after: readonly string[],
): string | null {
  if (after.length === 0) return null;
  if (selected === null) return after[0] ?? null;
  const there = new Set(after);
  if (there.has(selected)) return selected;
  const at = before.indexOf(selected);
  if (at < 0) return after[0] ?? null;
  for (let i = at + 1; i < before.length; i++) {
    const id = before[i];
    if (id !== undefined && there.has(id)) return id;
  }
  for (let i = at - 1; i >= 0; i--) {
    const id = before[i];
    if (id !== undefined && there.has(id)) return id;
  }
  return after[0] ?? null;
}

/** The item so many places further; stays at the ends. */
export function moved(
  selected: string | null,
  order: readonly string[],
  by: number,
): string | null {
  if (order.length === 0) return null;
  const at = selected === null ? -1 : order.indexOf(selected);
  if (at < 0) return order[0] ?? null;
  return order[Math.min(order.length - 1, Math.max(0, at + by))] ?? null;
}

/** What somebody has to answer now: a decision that can still be undone is not on the list. */
export function undecided(
  reviews: readonly ReviewView[],
  decidedHere: ReadonlySet<string>,
): ReviewView[] {
  return reviews.filter((review) => review.state === "open" && !decidedHere.has(review.id));
}

export interface SnoozeTime {
  id: string;
  label: string;
  seconds: number;
}

/** "Not now", as lengths of time from `now`. */
export function snoozeTimes(now: Date): SnoozeTime[] {
  const morning = new Date(now);
  // Before 4 in the morning, "tomorrow" is what comes after sleeping.
  if (now.getHours() >= 4) morning.setDate(morning.getDate() + 1);
  morning.setHours(9, 0, 0, 0);
  const untilMorning = Math.max(60, Math.round((morning.getTime() - now.getTime()) / 1000));
  return [
    { id: "half-hour", label: "30 minutes", seconds: 30 * 60 },
    { id: "two-hours", label: "2 hours", seconds: 2 * 3600 },
    {
      id: "morning",
      label: now.getHours() >= 4 ? "Tomorrow, 9:00" : "This morning, 9:00",
      seconds: untilMorning,
    },
  ];
}
