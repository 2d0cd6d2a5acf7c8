import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import {
  type MouseEvent,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { useAction } from "../../actions/registry";
import { Button } from "../../components/Button";
import { ErrorState, Skeleton } from "../../components/states";
import { count } from "../../lib/numbers";
import { pageOf, type Steps, useSteps } from "../../queries/run";
import { StepRow } from "./StepRow";
import styles from "./Timeline.module.css";

/** About how high a step is before it is measured. */
const STEP_PX = 150;
/** So near to the end counts as being there. */
const END_PX = 64;
/** Steps beyond what is in sight that are read ahead, so that one scrolls into what is there. */
const AHEAD = 12;
/** While one scrolls fast, pages that only fly by are not asked for. */
const SETTLE_MS = 60;

/** The run, step by step. */
export function Timeline(props: { run: string; live: boolean; asked: number | null }) {
  const [pages, setPages] = useState<readonly number[]>([]);
  const steps = useSteps(props.run, pages);
  const { total } = steps;
  if (total !== undefined) {
    return <StepList {...props} steps={steps} total={total} pages={pages} setPages={setPages} />;
  }
  return steps.error ? (
    <ErrorState title="Could not read the timeline" error={steps.error} onRetry={steps.refetch} />
  ) : (
    <Skeleton lines={10} label="Reading the timeline…" />
  );
}

/** Only what is in sight exists, and the end stays in sight while it grows. */
function StepList(props: {
  run: string;
  live: boolean;
  asked: number | null;
  steps: Steps;
  total: number;
  pages: readonly number[];
  setPages: (pages: readonly number[]) => void;
}) {
  const { run, live, asked, steps, total } = props;
  const scroller = useRef<HTMLElement>(null);
  // Something was opened by hand: it stays under the pointer instead of the end in sight.
  const [held, setHeld] = useState(false);
  const virtual = useVirtualizer<HTMLElement, HTMLLIElement>({
    count: total + 1,
    getScrollElement: () => scroller.current,
    estimateSize: () => STEP_PX,
    overscan: 4,
    anchorTo: held ? "start" : "end",
    followOnAppend: true,
    scrollEndThreshold: END_PX,
    initialRect: { width: 800, height: 800 },
    // The first thing drawn is what one came for: the steps at the start are never laid out.
    initialOffset: () => (asked ?? total) * STEP_PX,
  });
  keepStill(virtual);
  const items = virtual.getVirtualItems();
  useOpening(asked, virtual);
  useSettledPages(items[0]?.index, items.at(-1)?.index, props.pages, props.setPages);

  // From what is known already: asking the element would lay the page out in every frame.
  const below = virtual.getTotalSize() - (virtual.scrollOffset ?? 0) - heightOf(virtual);
  const atEnd = below <= END_PX;
  useFollow(virtual, atEnd);
  const onScroll = () => {
    if (held && atEnd) setHeld(false);
  };
  const onClickCapture = (event: MouseEvent) => {
    if (event.target instanceof Element && event.target.closest("[aria-expanded],summary")) {
      setHeld(true);
    }
  };
  const toEnd = useCallback(() => {
    setHeld(false);
    virtual.scrollToEnd();
  }, [virtual]);
  const toStart = useCallback(() => virtual.scrollToIndex(0), [virtual]);
  useAction("run.end", toEnd);
  useAction("run.start", toStart);

  return (
    <div className={styles.timeline}>
      <h2 className="hidden-words">Timeline</h2>
      <section
        ref={scroller}
        className={styles.scroller}
        aria-label="Timeline"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={onScroll}
        onClickCapture={onClickCapture}
      >
        <ol className={styles.space} style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => (
            <li
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className={styles.step}
              style={{ transform: `translateY(${item.start}px)` }}
              aria-setsize={total + 1}
              aria-posinset={item.index + 1}
            >
              <StepRow
                run={run}
                index={item.index}
                step={steps.step(item.index)}
                last={item.index === total}
                live={live && item.index === total}
              />
            </li>
          ))}
        </ol>
      </section>
      {!atEnd && (
        <div className={styles.toEnd}>
          <Button small icon={<ArrowDown size={16} />} keys="shift+g" onPress={toEnd}>
            {live ? "Follow the newest" : "To the end"}
          </Button>
          <span className={styles.where}>
            Step {count(virtual.range?.startIndex ?? 0)} of {count(total)}
          </span>
        </div>
      )}
      {steps.error && (
        <div className={styles.failed} role="alert">
          Some steps could not be read: {steps.error.message}{" "}
          <Button small look="quiet" onPress={steps.refetch}>
            Try again
          </Button>
        </div>
      )}
    </div>
  );
}

type Virtual = ReturnType<typeof useVirtualizer<HTMLElement, HTMLLIElement>>;

/** When a notice above takes some of the height, the end that was in sight stays in sight. */
function useFollow(virtual: Virtual, atEnd: boolean): void {
  const height = heightOf(virtual);
  const lastHeight = useRef(height);
  const wasAtEnd = useRef(true);
  useLayoutEffect(() => {
    if (lastHeight.current === height) {
      wasAtEnd.current = atEnd;
      return;
    }
    lastHeight.current = height;
    if (wasAtEnd.current) virtual.scrollToEnd();
  });
}

const heightOf = (virtual: Virtual): number => virtual.scrollRect?.height ?? 0;

/** What is above of what one looks at changes its size without moving what one looks at. */
function keepStill(virtual: Virtual): void {
  virtual.shouldAdjustScrollPositionOnItemSizeChange = (
    item,
    _delta,
    { scrollOffset, itemSizeCache },
  ) => {
    const top = scrollOffset ?? 0;
    return itemSizeCache.has(item.key) ? item.end <= top + 1 : item.start < top;
  };
}

/** It opens at its end, or at the step a link names. */
function useOpening(
  asked: number | null,
  virtual: Pick<Virtual, "scrollToEnd" | "scrollToIndex">,
): void {
  const opened = useRef<number | null | undefined>(undefined);
  useEffect(() => {
    if (opened.current === asked) return;
    opened.current = asked;
    if (asked === null) virtual.scrollToEnd();
    else virtual.scrollToIndex(asked, { align: "start" });
  }, [asked, virtual]);
}

/** The pages in sight, once they have been in sight for a moment. */
function useSettledPages(
  first: number | undefined,
  last: number | undefined,
  pages: readonly number[],
  setPages: (pages: readonly number[]) => void,
): void {
  const wanted = useMemo(() => {
    if (first === undefined || last === undefined) return [];
    const from = pageOf(Math.max(0, first - AHEAD));
    return Array.from({ length: pageOf(last + AHEAD) - from + 1 }, (_, i) => from + i);
  }, [first, last]);
  const same = wanted.length === pages.length && wanted[0] === pages[0];
  useEffect(() => {
    if (same) return;
    const timer = setTimeout(() => setPages(wanted), pages.length === 0 ? 0 : SETTLE_MS);
    return () => clearTimeout(timer);
  }, [same, wanted, pages.length, setPages]);
}
