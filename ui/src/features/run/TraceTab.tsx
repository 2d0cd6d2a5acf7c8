import { useVirtualizer } from "@tanstack/react-virtual";
import { Activity, ChevronLeft, ChevronRight } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { Button, IconButton } from "../../components/Button";
import { useNow } from "../../components/clock";
import { cx } from "../../components/cx";
import { Select } from "../../components/fields";
import { EmptyState, ErrorState, Skeleton } from "../../components/states";
import { count } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { duration } from "../../lib/time";
import { useStepRange, useSteps } from "../../queries/run";
import { useGo } from "../../stores/navigation";
import styles from "./TraceTab.module.css";
import { axisMarks, extent, type Lane, laneTotals, type Row, traceRows } from "./trace";

const ZOOMS = [10, 50, 200] as const;
type Zoom = (typeof ZOOMS)[number];
const ROW_PX = 26;
/** A pause shorter than this is no gap worth a word. */
const GAP_MS = 1000;

const LANES: Record<Lane, string> = {
  model: "Model",
  tool: "Tools",
  verify: "Verify",
  approval: "Approvals",
  wait: "Waits",
};
const LANE_IDS = Object.keys(LANES) as Lane[];

/** Where the time went: some steps as a waterfall, newest first on screen when it opens. */
export function TraceTab(props: { run: string; live: boolean; asked: number | null }) {
  const { run, live } = props;
  const total = useSteps(run, []).total;
  const [zoom, setZoom] = useState<Zoom>(50);
  // Null: the newest steps, whatever comes.
  const [from, setFrom] = useState<number | null>(
    props.asked === null ? null : Math.max(0, props.asked - 2),
  );
  const newest = Math.max(0, (total ?? 0) - zoom + 1);
  const start = Math.min(from ?? newest, newest);
  const range = useStepRange(run, start, zoom);
  const now = useNow(live ? 1 : 3600);
  const steps = range.data?.steps;
  const rows = useMemo(
    () => (steps ? traceRows(steps, live ? Math.max(now, Date.now()) : lastMoment(steps)) : []),
    [steps, live, now],
  );
  const last = Math.min(start + zoom - 1, total ?? 0);

  const move = (by: number) => {
    const next = Math.max(0, start + by * zoom);
    setFrom(next >= newest ? null : next);
  };

  return (
    <div className={styles.trace}>
      <div className={styles.bar}>
        <IconButton
          label="Earlier steps"
          icon={<ChevronLeft size={16} />}
          isDisabled={start === 0}
          onPress={() => move(-1)}
        />
        <span className={styles.range}>
          Steps {count(start)}–{count(last)} of {count(total ?? 0)}
        </span>
        <IconButton
          label="Later steps"
          icon={<ChevronRight size={16} />}
          isDisabled={start >= newest}
          onPress={() => move(1)}
        />
        {from !== null && (
          <Button small look="quiet" onPress={() => setFrom(null)}>
            Newest
          </Button>
        )}
        <Select
          label="Steps shown at once"
          labelHidden
          options={ZOOMS.map((z) => ({ id: `${z}`, label: `${z} steps` }))}
          value={`${zoom}`}
          onChange={(id) => setZoom(ZOOMS.find((z) => `${z}` === id) ?? 50)}
        />
        <Legend rows={rows} />
      </div>
      {rows.length > 0 ? (
        <Waterfall run={run} rows={rows} />
      ) : range.error && !steps ? (
        <ErrorState
          title="Could not read the trace"
          error={range.error}
          onRetry={() => void range.refetch()}
        />
      ) : steps ? (
        <EmptyState icon={<Activity />} title="Nothing took time here yet" />
      ) : (
        <Skeleton lines={10} label="Reading the trace…" />
      )}
    </div>
  );
}

function lastMoment(steps: readonly { at: string; entries: readonly { at: string }[] }[]): number {
  const last = steps.at(-1);
  return last ? Date.parse(last.entries.at(-1)?.at ?? last.at) : Date.now();
}

function Legend({ rows }: { rows: readonly Row[] }) {
  const totals = useMemo(() => laneTotals(rows), [rows]);
  return (
    <ul className={styles.legend} aria-label="Time by kind">
      {LANE_IDS.filter((lane) => totals.has(lane)).map((lane) => (
        <li key={lane}>
          <span className={cx(styles.swatch, styles[lane])} aria-hidden="true" />
          {LANES[lane]} {duration(totals.get(lane) ?? 0)}
        </li>
      ))}
    </ul>
  );
}

function Waterfall({ run, rows }: { run: string; rows: readonly Row[] }) {
  const scroller = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 20,
    initialRect: { width: 800, height: 600 },
  });
  const reach = extent(rows) ?? { start: 0, end: 1 };
  const length = reach.end - reach.start;
  return (
    <>
      <div className={styles.axis} aria-hidden="true">
        <div className={styles.track}>
          {axisMarks(length).map((mark) => (
            <span key={mark} style={{ left: `${(mark / length) * 100}%` }}>
              {duration(mark)}
            </span>
          ))}
        </div>
      </div>
      <section
        ref={scroller}
        className={styles.scroller}
        aria-label="Waterfall"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
      >
        <ol className={styles.space} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return (
              row && (
                <li
                  key={row.key}
                  className={styles.row}
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <Bar run={run} row={row} start={reach.start} length={length} />
                </li>
              )
            );
          })}
        </ol>
      </section>
    </>
  );
}

function Bar(props: { run: string; row: Row; start: number; length: number }) {
  const { row, start, length } = props;
  const go = useGo();
  const took = row.never ? "never began" : duration(row.end - row.start);
  const gap = row.gapBefore >= GAP_MS ? `${duration(row.gapBefore)} of silence before. ` : "";
  const words = `${gap}${LANES[row.lane]}: ${oneLine(row.label, 200)}. Step ${row.step}, ${took}${row.open ? " so far" : ""}${row.failed ? ", failed" : ""}`;
  return (
    <button
      type="button"
      className={styles.bars}
      title={words}
      onClick={() =>
        go({ room: "run", run: props.run, tab: "timeline", search: { step: `${row.step}` } })
      }
    >
      <span className="hidden-words">{words}</span>
      <span className={styles.name} aria-hidden="true">
        <span className={styles.number}>{row.step}</span>
        {oneLine(row.label, 80)}
      </span>
      <span className={styles.track} aria-hidden="true">
        {row.gapBefore >= GAP_MS && (
          <span
            className={styles.gap}
            style={{
              left: `${((row.start - row.gapBefore - start) / length) * 100}%`,
              width: `${(row.gapBefore / length) * 100}%`,
            }}
          />
        )}
        <span
          className={cx(
            styles.span,
            styles[row.lane],
            row.failed && styles.failed,
            row.open && styles.open,
            row.never && styles.never,
          )}
          style={{
            left: `${((row.start - start) / length) * 100}%`,
            width: `${((row.end - row.start) / length) * 100}%`,
          }}
        />
      </span>
      <span className={styles.took} aria-hidden="true">
        {took}
      </span>
    </button>
  );
}
