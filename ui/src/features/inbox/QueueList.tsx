import { Clock } from "lucide-react";
import { type KeyboardEvent, type MouseEvent, useEffect, useRef } from "react";
import { runAction } from "../../actions/registry";
import { cx } from "../../components/cx";
import { Countdown, RelativeTime } from "../../components/figures";
import type { ReviewView } from "../../ipc/bindings";
import { baseName } from "../../lib/numbers";
import { hrefOf } from "../../lib/places";
import { oneLine } from "../../lib/plain";
import { relative } from "../../lib/time";
import { kindWords } from "./kinds";
import styles from "./QueueList.module.css";
import type { Group } from "./queue";

/** The queue: one stop for Tab, the item under the cursor has the focus. */
export function QueueList(props: {
  groups: readonly Group[];
  selected: string | null;
  chosen: ReadonlySet<string>;
  onSelect: (id: string) => void;
  onChoose: (id: string) => void;
  /** Counts up when the focus is to go to the selected item. */
  focusCall: number;
}) {
  const list = useRef<HTMLDivElement>(null);
  const { focusCall, selected } = props;

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new selection is brought into sight
  useEffect(() => {
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }, [selected]);

  useEffect(() => {
    if (focusCall === 0) return;
    list.current?.querySelector<HTMLElement>("[aria-current]")?.focus({ preventScroll: true });
  }, [focusCall]);

  return (
    <div ref={list} className={styles.list}>
      {props.groups.map((group) => (
        // biome-ignore lint/a11y/useSemanticElements: a group of links is no fieldset
        <div key={group.key} role="group" aria-label={oneLine(group.title, 80)}>
          <h2 className={styles.group}>
            <span className={styles.groupTitle}>{oneLine(group.title, 80)}</span>
            <span className={styles.count}>{group.items.length}</span>
          </h2>
          <ul>
            {group.items.map((item) => (
              <Item
                key={item.id}
                item={item}
                byRun={group.run !== null}
                selected={item.id === selected}
                chosen={props.chosen.has(item.id)}
                onSelect={props.onSelect}
                onChoose={props.onChoose}
              />
            ))}
          </ul>
        </div>
      ))}
    </div>
  );
}

function Item(props: {
  item: ReviewView;
  byRun: boolean;
  selected: boolean;
  chosen: boolean;
  onSelect: (id: string) => void;
  onChoose: (id: string) => void;
}) {
  const { item, selected, chosen } = props;
  const { icon: Icon, name } = kindWords(item.kind);
  const run = oneLine(item.run_title ?? item.run, 80);
  const where = baseName(item.run_project);

  const onClick = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    props.onSelect(item.id);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // The link is the item: Enter opens what the shortcut opens, not itself.
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      runAction("inbox.open");
    }
  };

  return (
    <li className={cx(styles.item, selected && styles.selected, chosen && styles.chosen)}>
      <input
        type="checkbox"
        className={styles.check}
        checked={chosen}
        tabIndex={-1}
        aria-label={`Select ${oneLine(item.title, 80)}`}
        onChange={() => props.onChoose(item.id)}
      />
      <a
        href={hrefOf({ room: "inbox", review: item.id })}
        className={styles.link}
        aria-current={selected ? "true" : undefined}
        tabIndex={selected ? 0 : -1}
        aria-label={`${name}: ${oneLine(item.title, 160)}. ${run}, ${where}. Asked ${relative(item.requested_at, Date.now())}.${chosen ? " Selected." : ""}`}
        onClick={onClick}
        onKeyDown={onKeyDown}
      >
        <Icon className={styles.icon} size={16} aria-hidden="true" />
        <span className={styles.words}>
          <span className={styles.title}>{oneLine(item.title, 160)}</span>
          <span className={styles.soft}>
            {props.byRun ? `${name} · ${where}` : `${run} · ${where}`}
          </span>
        </span>
        <span className={styles.when}>
          {item.snoozed_until ? (
            <>
              <Clock size={12} aria-hidden="true" /> <Countdown until={item.snoozed_until} />
            </>
          ) : (
            <RelativeTime at={item.requested_at} />
          )}
        </span>
      </a>
    </li>
  );
}
