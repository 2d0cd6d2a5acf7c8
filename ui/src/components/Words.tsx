import { plain } from "../lib/plain";

/** A sentence of the daemon's: what stands between backticks is to be typed, and looks like it. */
export function Words({ text }: { text: string }) {
  return plain(text)
    .split(/`([^`\n]+)`/)
    .map((part, i) =>
      // Every other part stood between two of them.
      // biome-ignore lint/suspicious/noArrayIndexKey: a text is replaced whole
      i % 2 === 1 ? <code key={i}>{part}</code> : part,
    );
}
