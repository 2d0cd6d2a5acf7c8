/** A remark about a line of the changes. */
export interface Comment {
  path: string;
  line: number;
  /** The line is one that was taken out; its number is the one before. */
  removed: boolean;
  code: string;
  text: string;
}

/** The remarks as one message to the agent: each with its place, in the order of the files. */
export function composed(comments: readonly Comment[]): string {
  const ordered = [...comments].sort((a, b) => a.path.localeCompare(b.path) || a.line - b.line);
  const parts = ordered.map(
    ({ path, line, removed, code, text }) =>
      `${path}:${line}${removed ? " (a line you removed)" : ""}\n> ${code}\n${text}`,
  );
  return `Comments on your changes:\n\n${parts.join("\n\n")}`;
}
