import type { ReactNode } from "react";
import styles from "./Badge.module.css";
import { cx } from "./cx";

export type Tone = "calm" | "busy" | "good" | "warn" | "bad" | "accent";

/** A small word with a tone. The word says it; the colour only helps. */
export function Badge(props: { tone?: Tone; children: ReactNode; title?: string | undefined }) {
  return (
    <span className={cx(styles.badge, styles[props.tone ?? "calm"])} title={props.title}>
      {props.children}
    </span>
  );
}

/** A state: a dot (moving while something goes on) and its word. */
export function StatePill(props: { tone: Tone; children: ReactNode; moving?: boolean }) {
  return (
    <span className={cx(styles.pill, styles[props.tone])}>
      <span className={cx(styles.dot, props.moving && styles.moving)} aria-hidden="true" />
      {props.children}
    </span>
  );
}

/** A number of things beside a name. Nothing for zero. */
export function CountBadge(props: { count: number | undefined; label: string; tone?: Tone }) {
  if (!props.count) return null;
  return (
    <span className={cx(styles.count, styles[props.tone ?? "accent"])}>
      <span aria-hidden="true">{props.count > 999 ? "999+" : props.count}</span>
      <span className="hidden-words">{`, ${props.count} ${props.label}`}</span>
    </span>
  );
}
