import type { ReactNode } from "react";
import { cx } from "./cx";
import styles from "./Progress.module.css";

/** How far something is; without a value, that it goes on. */
export function Progress(props: { label: string; value?: number; max?: number }) {
  const known = props.value !== undefined;
  const share = known ? Math.min(1, (props.value ?? 0) / (props.max || 1)) : 0;
  return (
    <div
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={props.max ?? 1}
      {...(known ? { "aria-valuenow": props.value } : {})}
      className={cx(styles.track, !known && styles.going)}
    >
      <div className={styles.bar} style={known ? { width: `${share * 100}%` } : {}} />
    </div>
  );
}

/** What is used of a cap, in words and as a bar. Amber from 75 %, red from 90 %. */
export function BudgetBar(props: {
  label: string;
  used: number;
  /** Null: no cap. */
  max: number | null;
  /** The used and the allowed amount in words, like `$1.20 of $5.00`. */
  words: ReactNode;
  small?: boolean;
}) {
  const share = props.max ? props.used / props.max : 0;
  const tone = share >= 0.9 ? styles.bad : share >= 0.75 ? styles.warn : undefined;
  return (
    <div className={cx(styles.budget, props.small && styles.small)}>
      {!props.small && (
        <div className={styles.words}>
          <span>{props.label}</span>
          <span className={styles.amount}>{props.words}</span>
        </div>
      )}
      {props.max !== null && (
        // biome-ignore lint/a11y/useSemanticElements: a meter element cannot be styled alike everywhere
        <div
          role="meter"
          aria-label={props.label}
          aria-valuemin={0}
          aria-valuemax={props.max}
          aria-valuenow={Math.min(props.used, props.max)}
          aria-valuetext={`${Math.round(share * 100)} %`}
          className={styles.track}
        >
          <div className={cx(styles.bar, tone)} style={{ width: `${Math.min(1, share) * 100}%` }} />
        </div>
      )}
      {props.small && <div className={styles.amount}>{props.words}</div>}
    </div>
  );
}
