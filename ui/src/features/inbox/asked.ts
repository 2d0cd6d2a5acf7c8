/** What a tool call would do, read from its arguments by their names. */
export type Asked =
  | { shape: "command"; command: string; rest: Argument[] }
  | { shape: "change"; path: string; diff: string; rest: Argument[] }
  | { shape: "other"; rest: Argument[] };

export interface Argument {
  name: string;
  text: string;
}

type Json = Record<string, unknown>;

export function argumentsOf(text: string | null | undefined): Json | null {
  if (!text) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Json)
      : null;
  } catch {
    return null;
  }
}

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value, null, 2);

/** The first of these that is text. Agents name the same things differently. */
function pick(values: Json, ...names: string[]): [string, string] | null {
  for (const name of names) {
    const value = values[name];
    if (typeof value === "string") return [name, value];
  }
  return null;
}

function restOf(values: Json, ...taken: (string | undefined)[]): Argument[] {
  return Object.entries(values)
    .filter(([name]) => !taken.includes(name))
    .map(([name, value]) => ({ name, text: textOf(value) }));
}

export function askedOf(text: string | null | undefined): Asked | null {
  const values = argumentsOf(text);
  if (!values) return null;
  const command = pick(values, "command", "cmd");
  if (command) {
    return { shape: "command", command: command[1], rest: restOf(values, command[0]) };
  }
  const path = pick(values, "path", "file_path", "filename");
  const before = pick(values, "old_text", "old_string", "old_str");
  const after = pick(values, "new_text", "new_string", "new_str");
  if (path && before && after) {
    return {
      shape: "change",
      path: path[1],
      diff: lineDiff(path[1], before[1], after[1]),
      rest: restOf(values, path[0], before[0], after[0]),
    };
  }
  const content = pick(values, "content", "file_text", "contents");
  if (path && content) {
    return {
      shape: "change",
      path: path[1],
      diff: lineDiff(path[1], "", content[1]),
      rest: restOf(values, path[0], content[0]),
    };
  }
  return { shape: "other", rest: restOf(values) };
}

/** Past this many comparisons, the whole text is shown as replaced. */
const MOST_CELLS = 4_000_000;

const linesOf = (text: string): string[] => {
  if (text === "") return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
};

/** A unified diff of two texts whose place in the file is not known: one hunk from line 1. */
export function lineDiff(path: string, before: string, after: string): string {
  const a = linesOf(before);
  const b = linesOf(after);
  const name = path.replaceAll("\n", " ");
  return [
    `--- ${a.length === 0 ? "/dev/null" : `a/${name}`}`,
    `+++ ${b.length === 0 ? "/dev/null" : `b/${name}`}`,
    `@@ -${a.length === 0 ? 0 : 1},${a.length} +${b.length === 0 ? 0 : 1},${b.length} @@`,
    ...changes(a, b),
    "",
  ].join("\n");
}

function changes(a: readonly string[], b: readonly string[]): string[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (
    tail < a.length - head &&
    tail < b.length - head &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  ) {
    tail++;
  }
  const same = (lines: readonly string[]) => lines.map((line) => ` ${line}`);
  return [
    ...same(a.slice(0, head)),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(a.slice(a.length - tail)),
  ];
}

/** The longest common lines stay, the rest is taken out and put in. */
function middle(a: readonly string[], b: readonly string[]): string[] {
  const out: string[] = [];
  if (a.length * b.length > MOST_CELLS) {
    return [...a.map((line) => `-${line}`), ...b.map((line) => `+${line}`)];
  }
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push(` ${a[i]}`);
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      out.push(`-${a[i++]}`);
    } else {
      out.push(`+${b[j++]}`);
    }
  }
  return out;
}

export type TouchKind = "path" | "host" | "power";

export interface Touch {
  kind: TouchKind;
  what: string;
}

/** Words that alone say that more than the workspace is touched. */
const POWERS: Record<string, string> = {
  sudo: "acts as another user",
  su: "acts as another user",
  doas: "acts as another user",
  rm: "deletes",
  shred: "deletes",
  dd: "writes raw data",
  curl: "uses the network",
  wget: "uses the network",
  ssh: "uses the network",
  scp: "uses the network",
  rsync: "may use the network",
  npm: "may use the network and run what it downloads",
  npx: "may use the network and run what it downloads",
  pnpm: "may use the network and run what it downloads",
  yarn: "may use the network and run what it downloads",
  pip: "may use the network and run what it downloads",
  pip3: "may use the network and run what it downloads",
  cargo: "may use the network and run what it builds",
  docker: "starts containers",
  podman: "starts containers",
  systemctl: "changes services",
  kill: "ends processes",
  pkill: "ends processes",
  killall: "ends processes",
  chmod: "changes permissions",
  chown: "changes owners",
};

const GIT_REMOTE = /\bgit\s+(?:-\S+\s+)*(push|pull|fetch|clone)\b/g;

/**
 * What a command touches as far as its words tell: paths outside of its folder, hosts, and
 * programs with power. A command can hide more; that is said beside it.
 */
export function touchesOf(command: string): Touch[] {
  const found = new Map<string, Touch>();
  const add = (kind: TouchKind, what: string) => found.set(`${kind} ${what}`, { kind, what });

  for (const [, host] of command.matchAll(
    /\b(?:https?|ssh|git|ftp):\/\/(?:[^\s/@'"]+@)?([^\s/'":]+)/g,
  )) {
    if (host) add("host", host);
  }
  for (const [, verb] of command.matchAll(GIT_REMOTE))
    add("power", `git ${verb}: uses the network`);
  const words = command.split(/[\s;|&()<>"'`=]+/).filter(Boolean);
  for (const word of words) {
    const power = POWERS[word.replace(/^.*\//, "")];
    if (power) add("power", `${word}: ${power}`);
    else if (/^(?:~|\/|\.\.\/|\$HOME)/.test(word) && word !== "/dev/null" && word.length > 1) {
      add("path", word);
    }
  }
  return [...found.values()];
}
