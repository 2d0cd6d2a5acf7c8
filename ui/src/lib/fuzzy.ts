/**
 * How well `query` fits `text`: every character in order, better at word starts and in one piece.
 * Null if it does not fit; higher is better.
 */
export function fuzzyScore(query: string, text: string): number | null {
  const wanted = query.toLowerCase().replace(/\s+/g, "");
  if (wanted === "") return 0;
  const there = text.toLowerCase();
  const whole = there.indexOf(query.toLowerCase().trim());
  if (whole >= 0) return 1000 - whole - text.length / 100 + (startsWord(there, whole) ? 200 : 0);
  let score = 0;
  let from = 0;
  let last = -2;
  for (const character of wanted) {
    const at = there.indexOf(character, from);
    if (at < 0) return null;
    score += at === last + 1 ? 5 : startsWord(there, at) ? 3 : -Math.min(3, (at - last) / 10);
    last = at;
    from = at + 1;
  }
  return score - text.length / 100;
}

function startsWord(text: string, at: number): boolean {
  return at === 0 || /[\s/\-_.:]/.test(text[at - 1] ?? "");
}

/** The items that fit, best first; all of them, in their order, for an empty query. */
export function fuzzyFilter<T>(
  items: readonly T[],
  query: string,
  textOf: (item: T) => string,
): T[] {
  if (query.trim() === "") return [...items];
  const scored: { item: T; score: number }[] = [];
  for (const item of items) {
    const score = fuzzyScore(query, textOf(item));
    if (score !== null) scored.push({ item, score });
  }
  return scored.sort((a, b) => b.score - a.score).map(({ item }) => item);
}
