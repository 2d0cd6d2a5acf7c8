import { CheckSquare, Clock, Square } from "lucide-react";
import { memo, useEffect, useMemo, useRef } from "react";
import { cx } from "../../components/cx";
import { Countdown, RelativeTime } from "../../components/figures";
import { VirtualList, type VirtualListHandle } from "../../components/VirtualList";
import type { ReviewView } from "../../ipc/bindings";
import { baseName } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { kindWords } from "./kinds";
import styles from "./QueueList.module.css";
import type { Group } from "./queue";

type Row = { group: Group } | { item: ReviewView; byRun: boolean };

const keyOf = (row: Row): string => ("item" in row ? row.item.id : `group-${row.group.key}`);
const isHeading = (row: Row): boolean => "group" in row;

/** The queue: the list keeps the focus, whatever comes, goes or is decided. */
export function QueueList(props: {
  groups: readonly Group[];
  selected: string | null;
  chosen: ReadonlySet<string>;
  onSelect: (id: string) => void;
  onChoose: (id: string) => void;
  /** Counts up when the list is to take the focus. */
  focusCall: number;
}) {
  const list = useRef<VirtualListHandle>(null);
  const { focusCall, groups, chosen } = props;
  const rows = useMemo(
    () =>
      groups.flatMap((group): Row[] => [
        { group },
        ...group.items.map((item) => ({ item, byRun: group.run !== null })),
      ]),
    [groups],
  );
  useEffect(() => {
    if (focusCall > 0) list.current?.focus();
  }, [focusCall]);

  return (
    <VirtualList<Row>
      label="Reviews"
      items={rows}
      keyOf={keyOf}
      isHeading={isHeading}
      estimate={52}
      current={props.selected}
      onCurrent={props.onSelect}
      onToggle={props.onChoose}
      {...(chosen.size > 0 ? { selected: chosen } : {})}
      listRef={list}
      render={(row) =>
        "item" in row ? (
          <Item
            item={row.item}
            byRun={row.byRun}
            chosen={chosen.has(row.item.id)}
            onChoose={props.onChoose}
          />
        ) : (
          <p className={styles.group}>
            <span className={styles.groupTitle}>{oneLine(row.group.title, 80)}</span>
            <span className={styles.count}>{row.group.items.length}</span>
          </p>
        )
      }
    />
  );
}

const Item = memo(function Item(props: {
  item: ReviewView;
  byRun: boolean;
  chosen: boolean;
  onChoose: (id: string) => void;
}) {
  const { item, chosen } = props;
  const { icon: Icon, name } = kindWords(item.kind);
  const run = oneLine(item.run_title ?? item.run, 80);
  const where = baseName(item.run_project);
  return (
    <div className={cx(styles.item, chosen && styles.chosen)}>
      {/* For the pointer alone: the keyboard has x. */}
      <span
        className={styles.check}
        aria-hidden="true"
        onClick={(event) => {
          event.stopPropagation();
          props.onChoose(item.id);
        }}
      >
        <Icon className={styles.icon} size={16} />
        {chosen ? (
          <CheckSquare className={styles.box} size={16} />
        ) : (
          <Square className={styles.box} size={16} />
        )}
      </span>
      <span className={styles.words}>
        <span className="hidden-words">{name}:</span>{" "}
        <span className={styles.title}>{oneLine(item.title, 160)}</span>
        <span className={styles.soft}>
          {props.byRun ? `${name} · ${where}` : `${run} · ${where}`}
          {props.byRun && <span className="hidden-words">, {run}</span>}
        </span>
      </span>
      <span className={styles.when}>
        {item.snoozed_until ? (
          <>
            <Clock size={12} aria-hidden="true" /> <Countdown until={item.snoozed_until} />
          </>
        ) : (
          <>
            <span className="hidden-words">asked</span> <RelativeTime at={item.requested_at} />
          </>
        )}
        {chosen && <span className="hidden-words">, selected</span>}
      </span>
    </div>
  );
});
