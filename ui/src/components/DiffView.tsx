import { useVirtualizer } from "@tanstack/react-virtual";
import { FileText } from "lucide-react";
import { type ReactNode, useMemo, useRef, useState } from "react";
import { type DiffLine, type FileDiff, fileTree, parseDiff, type TreeNode } from "../lib/diff";
import { plain } from "../lib/plain";
import { cx } from "./cx";
import styles from "./DiffView.module.css";
import { EmptyState } from "./states";

type Row =
  | { key: string; what: "file"; file: FileDiff }
  | { key: string; what: "hunk"; text: string; file: FileDiff; number: number }
  | { key: string; what: "line"; line: DiffLine; path: string }
  | { key: string; what: "words"; text: string };

function rowsOf(files: readonly FileDiff[]): Row[] {
  return files.flatMap((file, f) => [
    { key: `f${f}`, what: "file" as const, file },
    ...(file.binary ? [{ key: `b${f}`, what: "words" as const, text: "A binary file" }] : []),
    ...(!file.binary && file.hunks.length === 0
      ? [{ key: `b${f}`, what: "words" as const, text: "No changed lines" }]
      : []),
    ...file.hunks.flatMap((hunk, h) => [
      { key: `f${f}h${h}`, what: "hunk" as const, text: hunk.header, file, number: h },
      ...hunk.lines.map((line, l) => ({
        key: `f${f}h${h}l${l}`,
        what: "line" as const,
        line,
        path: file.path,
      })),
    ]),
  ]);
}

const SIGN: Record<DiffLine["kind"], string> = { same: " ", added: "+", removed: "-", note: "" };
const SAID: Partial<Record<DiffLine["kind"], string>> = { added: "added: ", removed: "removed: " };
const CHANGE = { added: "new", removed: "deleted", renamed: "renamed", changed: "" } as const;
const ROW_PX = 20;

/** Choosing some of it, by a tick before each file, and before each of its parts. */
export interface Ticks {
  /** What ticking one means, as its label begins: `Apply`. */
  verb: string;
  /** What there is to choose of a file: one thing for each of its hunks, or one for all of it. */
  of: (file: FileDiff) => readonly string[];
  on: (item: string) => boolean;
  set: (items: readonly string[], on: boolean) => void;
}

/** A unified diff: the changed files as a tree, their lines beside it. Signs say what colours do. */
export function DiffView(props: {
  /** As text, or read already. */
  diff: string | readonly FileDiff[];
  /** The tree can be left out where one file is shown among other things. */
  tree?: boolean;
  ticks?: Ticks | undefined;
  /** Something beside a line, such as a button to comment on it. */
  aside?: (path: string, line: DiffLine) => ReactNode;
}) {
  const files = useMemo(
    () => (typeof props.diff === "string" ? parseDiff(props.diff) : props.diff),
    [props.diff],
  );
  const rows = useMemo(() => rowsOf(files), [files]);
  const tree = useMemo(() => fileTree(files), [files]);
  const [chosen, setChosen] = useState<string | null>(null);
  const scroller = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (rows[index]?.what === "file" ? 34 : ROW_PX),
    overscan: 30,
    initialRect: { width: 800, height: 600 },
  });
  if (files.length === 0) return <EmptyState icon={<FileText />} title="No changes" />;

  const show = (file: FileDiff) => {
    setChosen(file.path);
    const index = rows.findIndex((row) => row.what === "file" && row.file === file);
    virtual.scrollToIndex(index, { align: "start" });
  };

  return (
    <div className={styles.diff}>
      {props.tree !== false && (
        <nav className={styles.tree} aria-label="Changed files">
          {props.ticks && (
            <div className={styles.all}>
              <Tick ticks={props.ticks} what="all files" items={files.flatMap(props.ticks.of)} />
              <span aria-hidden="true">All files</span>
            </div>
          )}
          <Tree nodes={tree} chosen={chosen} onChoose={show} ticks={props.ticks} />
        </nav>
      )}
      <section
        ref={scroller}
        className={styles.lines}
        aria-label="Changed lines"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
      >
        <div className={styles.space} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return (
              row && (
                <div
                  key={row.key}
                  ref={virtual.measureElement}
                  data-index={item.index}
                  className={styles.row}
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <RowView row={row} aside={props.aside} ticks={props.ticks} />
                </div>
              )
            );
          })}
        </div>
      </section>
    </div>
  );
}

function RowView(props: {
  row: Row;
  aside: Parameters<typeof DiffView>[0]["aside"];
  ticks: Ticks | undefined;
}) {
  const { row, aside, ticks } = props;
  switch (row.what) {
    case "file":
      return (
        <h3 className={styles.file}>
          {row.file.from && <span className={styles.from}>{plain(row.file.from)} → </span>}
          <span>{plain(row.file.path)}</span>
          {CHANGE[row.file.change] && <em>{CHANGE[row.file.change]}</em>}
          <Counts file={row.file} />
        </h3>
      );
    case "hunk":
      return (
        <div className={styles.hunk}>
          {ticks && <HunkTick ticks={ticks} file={row.file} number={row.number} />}
          {plain(row.text)}
        </div>
      );
    case "words":
      return <div className={styles.words}>{row.text}</div>;
    case "line": {
      const { line } = row;
      return (
        <div className={cx(styles.line, styles[line.kind])}>
          <span className={styles.number} aria-hidden="true">
            {line.before ?? ""}
          </span>
          <span className={styles.number} aria-hidden="true">
            {line.after ?? ""}
          </span>
          <span className={styles.sign} aria-hidden="true">
            {SIGN[line.kind]}
          </span>
          <span className={styles.code}>
            {SAID[line.kind] && <span className="hidden-words">{SAID[line.kind]}</span>}
            {plain(line.text)}
          </span>
          {aside && <span className={styles.aside}>{aside(row.path, line)}</span>}
        </div>
      );
    }
  }
}

function Counts({ file }: { file: FileDiff }) {
  return (
    <span className={styles.counts}>
      <span className={styles.plus}>+{file.added}</span>{" "}
      <span className={styles.minus}>−{file.removed}</span>
    </span>
  );
}

function Tree(props: {
  nodes: readonly TreeNode[];
  chosen: string | null;
  onChoose: (file: FileDiff) => void;
  ticks: Ticks | undefined;
}) {
  const { ticks } = props;
  return (
    <ul>
      {props.nodes.map((node) => (
        <li key={node.file ? node.path : `${node.path}/`}>
          {node.file ? (
            <div className={styles.entry}>
              {ticks && <Tick ticks={ticks} what={plain(node.path)} items={within(node, ticks)} />}
              <button
                type="button"
                className={cx(styles.leaf, node.path === props.chosen && styles.chosen)}
                aria-current={node.path === props.chosen || undefined}
                onClick={() => node.file && props.onChoose(node.file)}
              >
                <span className={styles.name} title={plain(node.path)}>
                  {plain(node.name)}
                </span>
                <Counts file={node.file} />
              </button>
            </div>
          ) : (
            <>
              <div className={styles.entry}>
                {ticks && (
                  <Tick ticks={ticks} what={`${plain(node.path)}/`} items={within(node, ticks)} />
                )}
                <span className={styles.folder}>{plain(node.name)}/</span>
              </div>
              <div className={styles.inside}>
                <Tree {...props} nodes={node.children} />
              </div>
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

const within = (node: TreeNode, ticks: Ticks): readonly string[] =>
  node.file ? ticks.of(node.file) : node.children.flatMap((child) => within(child, ticks));

/** One tick for a hunk, where a file can be had in part. */
function HunkTick({ ticks, file, number }: { ticks: Ticks; file: FileDiff; number: number }) {
  const items = ticks.of(file);
  const item = items[number];
  const first = file.hunks[number]?.lines.find((line) => line.kind !== "note");
  if (item === undefined || items.length < 2 || !first) return null;
  const place = `${plain(file.path)} from line ${first.after ?? first.before}`;
  return <Tick ticks={ticks} what={place} items={[item]} />;
}

/** One tick for all of a file or folder: neither on nor off where only some of it is. */
function Tick({ ticks, what, items }: { ticks: Ticks; what: string; items: readonly string[] }) {
  const on = items.filter(ticks.on).length;
  const all = on === items.length;
  return (
    <label className={styles.tick}>
      <input
        type="checkbox"
        checked={all}
        ref={(box) => {
          if (box) box.indeterminate = on > 0 && !all;
        }}
        onChange={() => ticks.set(items, !all)}
      />
      <span className="hidden-words">
        {ticks.verb} {what}
      </span>
    </label>
  );
}
