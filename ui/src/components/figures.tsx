import { useMemo } from "react";
import { formatUsd } from "../lib/money";
import { countdown, duration, exact, relative, tickFor } from "../lib/time";
import { useNow } from "./clock";
import styles from "./figures.module.css";

/** Dollars. Absent is never shown as zero: it is not known. */
export function Money(props: {
  usd: string | null | undefined;
  /** What may have been billed besides. */
  unsettled?: string | null | undefined;
  /** Some of it has no known price, so the sum is not all. */
  partly?: boolean;
}) {
  if (props.usd === null || props.usd === undefined) {
    return <span className={styles.unknown}>no price known</span>;
  }
  const unsettled = props.unsettled && Number(props.unsettled) > 0 ? props.unsettled : null;
  return (
    <span className={styles.figure} title={`$${props.usd}`}>
      {props.partly && <span title="Some requests have no known price">≥ </span>}
      {formatUsd(props.usd)}
      {unsettled && (
        <span
          className={styles.soft}
          title={`Up to $${unsettled} more may have been billed by calls that were cut`}
        >
          {" "}
          + up to {formatUsd(unsettled)}
        </span>
      )}
    </span>
  );
}

/** `4 min ago`; the exact time on hover. */
export function RelativeTime(props: { at: string | null | undefined; never?: string }) {
  const every = props.at && tickFor(props.at, Date.now()) <= 1000 ? 1 : 30;
  const now = useNow(every);
  const title = useMemo(() => (props.at ? exact(props.at) : ""), [props.at]);
  if (!props.at) return <span className={styles.soft}>{props.never ?? "never"}</span>;
  return (
    <time className={styles.figure} dateTime={props.at} title={title}>
      {relative(props.at, now)}
    </time>
  );
}

/** How long something took, or has been going on if it has no end. */
export function Duration(props: { ms?: number; from?: string; to?: string | null }) {
  const going = props.ms === undefined && !props.to;
  const now = useNow(going ? 1 : 3600);
  const from = props.from ? Date.parse(props.from) : now;
  const ms = props.ms ?? (props.to ? Date.parse(props.to) : Math.max(now, from)) - from;
  return <span className={styles.figure}>{duration(ms)}</span>;
}

/** `in 4 min 5 s`, ticking. */
export function Countdown(props: { until: string }) {
  const now = useNow(1);
  const title = useMemo(() => exact(props.until), [props.until]);
  return (
    <time className={styles.figure} dateTime={props.until} title={title}>
      {countdown(props.until, now)}
    </time>
  );
}
