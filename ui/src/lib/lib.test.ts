import { describe, expect, test } from "vitest";
import { fileTree, looksLikeDiff, parseDiff } from "./diff";
import { fuzzyFilter, fuzzyScore } from "./fuzzy";
import { keyCaps, wordOf } from "./keys";
import { formatUsd, nanoOf, sumUsd, usdOf } from "./money";
import { baseName, bytes, plural, short } from "./numbers";
import { hrefOf, pathOf } from "./places";
import { hasHidden, oneLine, plain } from "./plain";
import { countdown, duration, relative, wholeSeconds } from "./time";

describe("money", () => {
  test.each([
    ["0", "$0.00"],
    ["12.3", "$12.30"],
    ["1234.567", "$1,234.57"],
    ["0.4213", "$0.4213"],
    ["0.0123", "$0.0123"],
    ["0.00012346", "$0.0001235"],
    ["0.5", "$0.50"],
    ["0.999999", "$1.00"],
    ["-0.25", "-$0.25"],
    ["0.000000001", "$0.000000001"],
  ])("%s dollars are written %s", (usd, words) => expect(formatUsd(usd)).toBe(words));

  test("sums are exact where floats are not", () => {
    expect(sumUsd(["0.1", "0.2"])).toBe("0.3");
    expect(sumUsd(Array.from({ length: 1000 }, () => "0.000000001"))).toBe("0.000001");
    expect(usdOf(nanoOf("-12.5"))).toBe("-12.5");
    expect(nanoOf("nonsense")).toBe(0n);
  });
});

describe("time", () => {
  const now = Date.parse("2026-11-21T07:00:00Z");
  test.each([
    [0, "just now"],
    [-45_000, "45 s ago"],
    [-4 * 60_000, "4 min ago"],
    [2 * 3_600_000, "in 2 h"],
    [-3 * 86_400_000, "3 d ago"],
    [-100 * 86_400_000, "3 months ago"],
  ])("%i ms from now is %s", (ms, words) => expect(relative(now + ms, now)).toBe(words));

  test.each([
    [850, "850 ms"],
    [2500, "2.5 s"],
    [12_000, "12 s"],
    [245_000, "4 min 5 s"],
    [7_800_000, "2 h 10 min"],
    [273_600_000, "3 d 4 h"],
    [-5, "0 s"],
  ])("%i ms last %s", (ms, words) => expect(duration(ms)).toBe(words));

  test("a countdown ends in words, not in negative numbers", () => {
    expect(countdown(now + 61_000, now)).toBe("in 1 min 1 s");
    expect(countdown(now + 400, now)).toBe("in 1 s");
    expect(countdown(now - 1, now)).toBe("any moment");
    expect(relative("nonsense", now)).toBe("unknown");
  });
});

describe("plain text", () => {
  test("colours go, what is hidden is written out", () => {
    expect(plain("\u001b[31mred\u001b[0m")).toBe("red");
    expect(plain("\u001b]8;;https://evil.example\u0007link\u001b]8;;\u0007")).toBe("link");
    expect(plain("rm \u202eelif\u202c")).toBe("rm ⟨U+202E⟩elif⟨U+202C⟩");
    expect(plain("pay\u200bpal")).toBe("pay⟨U+200B⟩pal");
    expect(plain("a\u0007b")).toBe("a⟨U+0007⟩b");
    expect(plain("50 %\rdone\r\n")).toBe("50 %\ndone\n");
    expect(plain("\u{e0041}x")).toBe("⟨U+E0041⟩x");
    expect(plain("tab\tstays, so do ü and 語")).toBe("tab\tstays, so do ü and 語");
  });

  test("what is hidden is noticed each time", () => {
    expect([hasHidden("a\u202eb"), hasHidden("a\u202eb"), hasHidden("plain\ttext\n")]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("a line is one line", () => {
    expect(oneLine("first\n  second")).toBe("first second");
    expect(oneLine("x".repeat(20), 10)).toBe(`${"x".repeat(9)}…`);
  });
});

describe("diff", () => {
  const DIFF = `diff --git a/src/a.rs b/src/a.rs
index 1..2 100644
--- a/src/a.rs
+++ b/src/a.rs
@@ -1,3 +1,3 @@ fn main() {
 same
--- looks like a header
+++ so does this
 end
diff --git a/old name.txt b/new name.txt
similarity index 90%
rename from old name.txt
rename to new name.txt
diff --git a/img.png b/img.png
new file mode 100644
Binary files /dev/null and b/img.png differ
diff --git "a/\\303\\274.txt" "b/\\303\\274.txt"
deleted file mode 100644
--- "a/\\303\\274.txt"
+++ /dev/null
@@ -1 +0,0 @@
-gone
\\ No newline at end of file
`;

  test("files, changes and line numbers are read", () => {
    const [a, renamed, image, deleted] = parseDiff(DIFF);
    expect(a).toMatchObject({ path: "src/a.rs", change: "changed", added: 1, removed: 1 });
    expect(a?.hunks[0]?.lines.map((l) => [l.kind, l.before, l.after, l.text])).toEqual([
      ["same", 1, 1, "same"],
      ["removed", 2, undefined, "-- looks like a header"],
      ["added", undefined, 2, "++ so does this"],
      ["same", 3, 3, "end"],
    ]);
    expect(renamed).toMatchObject({
      change: "renamed",
      from: "old name.txt",
      path: "new name.txt",
    });
    expect(image).toMatchObject({ path: "img.png", change: "added", binary: true });
    expect(deleted).toMatchObject({ path: "ü.txt", change: "removed", removed: 1 });
    expect(deleted?.hunks[0]?.lines.at(-1)?.kind).toBe("note");
  });

  test("a diff without git's lines is read too, and text is not taken for one", () => {
    expect(parseDiff("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")[0]).toMatchObject({
      path: "x",
      added: 1,
    });
    expect(looksLikeDiff("--- a/x\n+++ b/x\n@@ -1 +1 @@\n")).toBe(true);
    expect(looksLikeDiff("--- just dashes\n")).toBe(false);
    expect(parseDiff("")).toEqual([]);
  });

  test("folders with one folder inside are one line, folders come first", () => {
    const tree = fileTree(parseDiff(DIFF));
    expect(tree.map((node) => node.name)).toEqual(["src", "img.png", "new name.txt", "ü.txt"]);
    const deep = fileTree(parseDiff("--- a/x/y/z/f\n+++ b/x/y/z/f\n@@ -1 +1 @@\n-a\n+b\n"));
    expect(deep.map((node) => node.name)).toEqual(["x/y/z"]);
    expect(deep[0]?.children[0]?.file?.path).toBe("x/y/z/f");
  });
});

describe("finding", () => {
  test("whole words beat scattered letters", () => {
    const found = fuzzyFilter(["Pause all runs", "Costs", "Open the palette"], "pa", (t) => t);
    expect(found[0]).toBe("Pause all runs");
    expect(fuzzyScore("xyz", "Costs")).toBeNull();
    expect(fuzzyFilter(["b", "a"], " ", (t) => t)).toEqual(["b", "a"]);
  });
});

describe("keys", () => {
  const press = (over: object) =>
    wordOf(
      { key: "a", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...over },
      false,
    );

  test("what is typed counts, not how", () => {
    expect(press({ key: "?", shiftKey: true })).toBe("?");
    expect(press({ key: "R", shiftKey: true })).toBe("shift+r");
    expect(press({ key: "k", ctrlKey: true })).toBe("mod+k");
    expect(press({ key: "Shift" })).toBeNull();
    expect(press({ key: "a", altKey: true })).toBeNull();
    expect(keyCaps("g i")).toEqual(["g", "i"]);
    expect(keyCaps("mod+k")).toEqual(["Ctrl", "K"]);
  });
});

describe("numbers and places", () => {
  test("numbers read at a glance", () => {
    expect([short(999), short(1234), short(123_456), short(3_400_000)]).toEqual([
      "999",
      "1.2 k",
      "123 k",
      "3.4 M",
    ]);
    expect([bytes(512), bytes(1500), bytes(123_000_000)]).toEqual(["512 B", "1.5 kB", "123 MB"]);
    expect([plural(1, "run"), plural(1200, "run")]).toEqual(["1 run", "1,200 runs"]);
    expect([baseName("/home/ada/parser/"), baseName("C:\\work\\x")]).toEqual(["parser", "x"]);
  });

  test("addresses keep odd characters", () => {
    expect(hrefOf({ room: "inbox", review: "a/b" })).toBe("#/inbox/a%2Fb");
    expect(pathOf({ room: "run", run: "1" })).toBe("/runs/1/timeline");
    expect(pathOf({ room: "runs", search: { text: "a b" } })).toBe("/runs?text=a+b");
  });
});

test("less than a second of a budget is not zero milliseconds", () => {
  expect(wholeSeconds(0)).toBe("under 1 s");
  expect(wholeSeconds(75)).toBe("1 min 15 s");
});
