import type { HunkName } from "../../ipc/bindings";
import type { FileDiff } from "../../lib/diff";

/** A changed file, and what there is to choose of it. */
export interface Choice {
  file: FileDiff;
  /** Keys of its parts: one for each hunk where it can be had hunk by hunk, else its path. */
  parts: readonly string[];
  /** The hunks the parts stand for; none where it can only be had whole. */
  hunks: readonly HunkName[];
}

/** What of one apply is named. Nothing named is all of it. */
export interface Wish {
  paths: readonly string[];
  hunks: readonly HunkName[];
}

/** What can be chosen of each file. The daemon names the hunks: it refuses those it has no more. */
export function choices(files: readonly FileDiff[], hunks: readonly HunkName[]): Choice[] {
  const times = new Map<string, number>();
  for (const file of files) times.set(file.path, (times.get(file.path) ?? 0) + 1);
  return files.map((file) => {
    const own = hunks.filter((hunk) => hunk.path === file.path);
    const whole =
      file.hunks.length < 2 ||
      own.length !== file.hunks.length ||
      file.from !== undefined ||
      times.get(file.path) !== 1;
    return whole
      ? { file, parts: [file.path], hunks: [] }
      : { file, parts: own.map((hunk) => `${file.path}\n${hunk.digest}`), hunks: own };
  });
}

/** Git follows a renamed file; for an apply its old name is a file of its own. */
const pathsOf = (file: FileDiff): string[] =>
  file.from === undefined ? [file.path] : [file.from, file.path];

/** What is to be applied when these parts are left out. */
export function wishOf(all: readonly Choice[], left: ReadonlySet<string>): Wish & Chosen {
  const paths: string[] = [];
  const hunks: HunkName[] = [];
  let [whole, inPart] = [0, 0];
  for (const { file, parts, hunks: own } of all) {
    const on = parts.filter((part) => !left.has(part)).length;
    if (on === parts.length) {
      whole += 1;
      paths.push(...pathsOf(file));
    } else if (on > 0) {
      inPart += 1;
      hunks.push(...own.filter((_, i) => !left.has(parts[i] ?? "")));
    }
  }
  return whole === all.length
    ? { paths: [], hunks: [], whole, inPart }
    : { paths, hunks, whole, inPart };
}

/** How many files are chosen. */
export interface Chosen {
  whole: number;
  inPart: number;
}
