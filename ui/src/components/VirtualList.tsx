import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
  type Ref,
  type RefObject,
  useCallback,
  useEffect,
  useImperativeHandle,
  useMemo,
  useRef,
} from "react";
import { cx } from "./cx";
import styles from "./VirtualList.module.css";

export interface VirtualListHandle {
  focus(): void;
  scrollToIndex(index: number): void;
}

export interface VirtualListProps<T> {
  label: string;
  items: readonly T[];
  keyOf: (item: T) => string;
  /** A row's words; it must not hold other things that take focus unless `href`-like. */
  render: (item: T, state: { current: boolean; selected: boolean }) => ReactNode;
  /** About how high a row is, in px; rows measure themselves. */
  estimate: number;
  /** The key of the row the keyboard is on. */
  current: string | null;
  onCurrent: (key: string) => void;
  /** Enter, double click or a click on a row. */
  onOpen?: (item: T) => void;
  /** The pointer came to a row: what opening it will need may be read ahead. */
  onAim?: (item: T) => void;
  selected?: ReadonlySet<string>;
  /** A click with ctrl, ⌘ or shift puts a row into the selection or takes it out. */
  onToggle?: (key: string) => void;
  /** Headings between rows: not counted as rows. */
  isHeading?: (item: T) => boolean;
  listRef?: Ref<VirtualListHandle>;
  /** More is read when the end comes near. */
  onEnd?: () => void;
}

/**
 * A list of any length: only what is in sight exists. One stop for Tab; arrows, j/k, Home, End,
 * PageUp and PageDown move within it.
 */
export function VirtualList<T>(props: VirtualListProps<T>) {
  const { items, keyOf, current, isHeading, onEnd } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const { estimate } = props;
  const latestKeyOf = useRef(keyOf);
  latestKeyOf.current = keyOf;
  // The same functions while the items are the same: the virtualizer measures everything anew when
  // they change, which for ten thousand rows is felt.
  const getItemKey = useCallback(
    (index: number) => latestKeyOf.current(items[index] as T),
    [items],
  );
  const estimateSize = useCallback(() => estimate, [estimate]);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize,
    overscan: 4,
    getItemKey,
    measureElement,
    // jsdom and hidden windows have no size: a first guess keeps rows in the document.
    initialRect: { width: 800, height: 600 },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: both functions only read the item
  const at = useMemo(
    () => items.findIndex((item) => !isHeading?.(item) && keyOf(item) === current),
    [items, current],
  );

  useImperativeHandle(props.listRef, () => ({
    focus: () => scroller.current?.focus(),
    scrollToIndex: (index) => virtual.scrollToIndex(index),
  }));

  useKeepInSight(virtual, scroller, at);

  const last = virtual.getVirtualItems().at(-1)?.index ?? 0;
  useEffect(() => {
    if (items.length > 0 && last >= items.length - 5) onEnd?.();
  }, [last, items.length, onEnd]);

  const move = (from: number, by: number) => {
    const way = Math.sign(by);
    let index = Math.max(0, Math.min(items.length - 1, from + by));
    while (items[index] !== undefined && isHeading?.(items[index] as T)) index += way;
    const item = items[index];
    if (item !== undefined) props.onCurrent(keyOf(item));
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(
      1,
      Math.floor((scroller.current?.clientHeight ?? 400) / props.estimate) - 1,
    );
    const start = at < 0 ? -1 : at;
    const moves = new Map<string, () => void>([
      ["ArrowDown", () => move(start, 1)],
      ["j", () => move(start, 1)],
      ["ArrowUp", () => move(Math.max(0, start), -1)],
      ["k", () => move(Math.max(0, start), -1)],
      ["PageDown", () => move(start, page)],
      ["PageUp", () => move(start, -page)],
      ["Home", () => move(-1, 1)],
      ["End", () => move(items.length, -1)],
    ]);
    const { onOpen } = props;
    if (onOpen) moves.set("Enter", () => at >= 0 && onOpen(items[at] as T));
    const act = event.target === scroller.current ? moves.get(event.key) : undefined;
    if (!act) return;
    event.preventDefault();
    act();
  };

  const onPress = (index: number, event: MouseEvent) => {
    const item = items[index];
    if (item === undefined) return;
    props.onCurrent(keyOf(item));
    if (props.onToggle && (event.ctrlKey || event.metaKey || event.shiftKey)) {
      props.onToggle(keyOf(item));
    } else {
      props.onOpen?.(item);
    }
  };

  return (
    <div
      ref={scroller}
      className={styles.scroller}
      role="listbox"
      data-keys=""
      aria-label={props.label}
      aria-multiselectable={props.selected ? true : undefined}
      aria-activedescendant={at >= 0 ? rowId(current ?? "") : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onFocus={(event) => event.target === scroller.current && at < 0 && move(-1, 1)}
    >
      <div className={styles.space} style={{ height: virtual.getTotalSize() }} role="presentation">
        {virtual.getVirtualItems().map((row) => {
          const item = items[row.index] as T;
          const key = keyOf(item);
          const heading = isHeading?.(item) ?? false;
          const isCurrent = !heading && key === current;
          const isSelected = props.selected?.has(key) ?? isCurrent;
          return (
            <Row
              key={key}
              id={heading ? null : rowId(key)}
              measure={virtual.measureElement}
              index={row.index}
              of={items.length}
              top={row.start}
              isCurrent={isCurrent}
              isSelected={isSelected}
              onPress={heading ? null : onPress}
              onAim={props.onAim && (() => props.onAim?.(item))}
            >
              {heading
                ? props.render(item, { current: false, selected: false })
                : props.render(item, { current: isCurrent, selected: isSelected })}
            </Row>
          );
        })}
      </div>
    </div>
  );
}

/** Rows one comes to for the first time have their true height a frame or two later. */
const AIM_MS = 300;

/**
 * Brings the row the keyboard is on into sight. From what is known: the virtualizer's own way asks
 * the element for its height in every frame until it is there, and has it laid out each time.
 */
function useKeepInSight(
  virtual: Virtualizer<HTMLDivElement, Element>,
  scroller: RefObject<HTMLDivElement | null>,
  at: number,
): void {
  const aim = useRef({ at: -1, until: 0 });
  useEffect(() => {
    aim.current = { at, until: performance.now() + AIM_MS };
  }, [at]);
  useEffect(() => {
    const row = virtual.measurementsCache[aim.current.at];
    const element = scroller.current;
    if (!row || !element || performance.now() > aim.current.until) return;
    const top = virtual.scrollOffset ?? 0;
    const height = virtual.scrollRect?.height ?? 0;
    if (row.start < top) element.scrollTop = row.start;
    else if (row.end > top + height) element.scrollTop = row.end - height;
  });
}

const rowId = (key: string) => `row-${key}`;

/**
 * How high a row is. What was never laid out counts as estimated until the observer says, which it
 * does in the same frame: asking the element itself would lay the page out in mid-change.
 */
function measureElement(
  element: Element,
  entry: ResizeObserverEntry | undefined,
  virtual: Virtualizer<HTMLDivElement, Element>,
): number {
  const size = entry?.borderBoxSize[0]?.blockSize;
  if (size !== undefined) return Math.round(size);
  const index = virtual.indexFromElement(element);
  const key = virtual.options.getItemKey(index);
  return virtual.itemSizeCache.get(key) ?? virtual.options.estimateSize(index);
}

/** Where a row stands; what it shows is the list's user's. */
function Row(props: {
  /** Null for a heading: it is no option. */
  id: string | null;
  measure: (element: Element | null) => void;
  index: number;
  of: number;
  top: number;
  isCurrent: boolean;
  isSelected: boolean;
  onPress: ((index: number, event: MouseEvent) => void) | null;
  onAim: (() => void) | undefined;
  children: ReactNode;
}) {
  const { id, index, onPress } = props;
  const place = { transform: `translateY(${props.top}px)` };
  if (id === null) {
    return (
      <div
        ref={props.measure}
        data-index={index}
        className={styles.row}
        style={place}
        role="presentation"
      >
        {props.children}
      </div>
    );
  }
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, the row is its active descendant
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list handles the keys
    <div
      id={id}
      ref={props.measure}
      data-index={index}
      className={cx(
        styles.row,
        styles.item,
        props.isCurrent && styles.current,
        props.isSelected && styles.selected,
      )}
      style={place}
      role="option"
      aria-selected={props.isSelected}
      aria-setsize={props.of}
      aria-posinset={index + 1}
      onClick={(event) => onPress?.(index, event)}
      onPointerEnter={props.onAim}
    >
      {props.children}
    </div>
  );
}
