// A unified diff as `git diff` writes it, read into files, hunks and lines.

export type LineKind = "same" | "added" | "removed" | "note";

export interface DiffLine {
  kind: LineKind;
  text: string;
  /** Line number before, absent for an added line. */
  before?: number;
  /** Line number after, absent for a removed line. */
  after?: number;
}

export interface Hunk {
  header: string;
  lines: DiffLine[];
}

export type FileChange = "added" | "removed" | "renamed" | "changed";

export interface FileDiff {
  path: string;
  /** Where it was, for a renamed file. */
  from?: string;
  change: FileChange;
  binary: boolean;
  hunks: Hunk[];
  added: number;
  removed: number;
}

/** git quotes names with unusual characters as C strings, their bytes in octal. */
function unquote(name: string): string {
  if (!name.startsWith('"')) return name.replace(/\t.*$/, "");
  const bytes: number[] = [];
  const body = name.slice(1, name.lastIndexOf('"'));
  // biome-ignore format: one a letter
  const simple: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, "\\": 92 };
  for (let i = 0; i < body.length; i++) {
    const char = body[i] ?? "";
    if (char !== "\\") {
      bytes.push(...new TextEncoder().encode(char));
      continue;
    }
    const octal = /^[0-7]{3}/.exec(body.slice(i + 1));
    if (octal) {
      bytes.push(Number.parseInt(octal[0], 8));
      i += 3;
    } else {
      i += 1;
      bytes.push(simple[body[i] ?? ""] ?? body.codePointAt(i) ?? 0);
    }
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

const side = (name: string): string => unquote(name).replace(/^[ab]\//, "");

function pathOfHeader(line: string): string {
  const rest = line.slice("diff --git ".length);
  const quoted = / ("b\/.*")$/.exec(rest);
  if (quoted?.[1]) return side(quoted[1]);
  // Both halves name the same file unless it was renamed, which has its own lines.
  const half = rest.slice((rest.length + 1) / 2);
  if (half.startsWith("b/")) return half.slice(2);
  return rest.slice(rest.lastIndexOf(" b/") + 3);
}

function newFile(path: string): FileDiff {
  return { path, change: "changed", binary: false, hunks: [], added: 0, removed: 0 };
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/** Reads the lines between a file's first line and its first hunk. */
function readHeader(file: FileDiff, line: string): void {
  if (line.startsWith("new file")) file.change = "added";
  else if (line.startsWith("deleted file")) file.change = "removed";
  else if (line.startsWith("rename from ")) {
    file.change = "renamed";
    file.from = unquote(line.slice(12));
  } else if (line.startsWith("rename to ")) file.path = unquote(line.slice(10));
  else if (line.startsWith("Binary files") || line.startsWith("GIT binary patch"))
    file.binary = true;
  else if (line.startsWith("--- /dev/null")) file.change = "added";
  else if (line.startsWith("+++ /dev/null")) file.change = "removed";
  else if (line.startsWith("--- ") && file.path === "") file.path = side(line.slice(4));
  else if (line.startsWith("+++ ")) file.path = side(line.slice(4));
}

/** Reads a diff line by line. */
class Reader {
  readonly files: FileDiff[] = [];
  #file: FileDiff | null = null;
  #hunk: Hunk | null = null;
  #before = 0;
  #after = 0;
  // Inside a hunk its counts say what a line is: a removed `-- x` must not look like a header.
  #left = 0;
  #right = 0;

  line(line: string): void {
    const start = HUNK.exec(line);
    if (this.#hunk && (this.#left > 0 || this.#right > 0)) this.#body(this.#hunk, line);
    else if (start) this.#startHunk(start, line);
    else if (line.startsWith("diff --git ")) this.#startFile(pathOfHeader(line));
    else if (line.startsWith("\\") && this.#hunk) this.#note(this.#hunk, line);
    // A diff without `diff --git` lines.
    else if (line.startsWith("--- ") && (!this.#file || this.#hunk))
      readHeader(this.#startFile(""), line);
    else if (this.#file) readHeader(this.#file, line);
  }

  #startFile(path: string): FileDiff {
    const file = newFile(path);
    this.#file = file;
    this.#hunk = null;
    this.files.push(file);
    return file;
  }

  #startHunk(start: RegExpExecArray, header: string): void {
    this.#before = Number(start[1]);
    this.#after = Number(start[3]);
    this.#left = Number(start[2] ?? 1);
    this.#right = Number(start[4] ?? 1);
    this.#hunk = { header, lines: [] };
    (this.#file ?? this.#startFile("")).hunks.push(this.#hunk);
  }

  #note(hunk: Hunk, line: string): void {
    hunk.lines.push({ kind: "note", text: line.slice(2) });
  }

  #body(hunk: Hunk, line: string): void {
    const file = this.#file ?? this.#startFile("");
    const text = line.slice(1);
    if (line.startsWith("+")) {
      hunk.lines.push({ kind: "added", text, after: this.#after++ });
      file.added++;
      this.#right--;
    } else if (line.startsWith("-")) {
      hunk.lines.push({ kind: "removed", text, before: this.#before++ });
      file.removed++;
      this.#left--;
    } else if (line.startsWith("\\")) {
      this.#note(hunk, line);
    } else {
      hunk.lines.push({ kind: "same", text, before: this.#before++, after: this.#after++ });
      this.#left--;
      this.#right--;
    }
  }
}

export function parseDiff(text: string): FileDiff[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const reader = new Reader();
  for (const line of lines) reader.line(line);
  return reader.files;
}

/** Whether a text looks like a unified diff. */
export function looksLikeDiff(text: string): boolean {
  return /^(diff --git |--- .*\n\+\+\+ )/m.test(text) && /^@@ -\d/m.test(text);
}

export interface TreeNode {
  name: string;
  path: string;
  file?: FileDiff;
  children: TreeNode[];
}

/** The changed files as folders; folders with a single folder inside are written as one line. */
export function fileTree(files: readonly FileDiff[]): TreeNode[] {
  const root: TreeNode = { name: "", path: "", children: [] };
  for (const file of files) {
    let node = root;
    const parts = file.path.split("/");
    parts.forEach((name, i) => {
      const path = parts.slice(0, i + 1).join("/");
      const isFile = i === parts.length - 1;
      let child = node.children.find((c) => c.name === name && Boolean(c.file) === isFile);
      if (!child) {
        child = { name, path, children: [] };
        node.children.push(child);
      }
      if (isFile) child.file = file;
      node = child;
    });
  }
  return order(root.children.map(join));
}

function join(node: TreeNode): TreeNode {
  const children = node.children.map(join);
  const only = children.length === 1 ? children[0] : undefined;
  if (!node.file && only && !only.file) return { ...only, name: `${node.name}/${only.name}` };
  return { ...node, children: order(children) };
}

function order(nodes: TreeNode[]): TreeNode[] {
  return nodes.sort(
    (a, b) => Number(Boolean(a.file)) - Number(Boolean(b.file)) || a.name.localeCompare(b.name),
  );
}
