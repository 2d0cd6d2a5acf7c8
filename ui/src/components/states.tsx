import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "./Button";
import styles from "./states.module.css";
import { Words } from "./Words";

/** Nothing is here, and that is fine: what would be here, and what to do. */
export function EmptyState(props: {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className={styles.state}>
      {props.icon && <span className={styles.icon}>{props.icon}</span>}
      <h2>{props.title}</h2>
      {props.children && <div className={styles.words}>{props.children}</div>}
      {props.action}
    </div>
  );
}

/** What failed, why, and what now. */
export function ErrorState(props: {
  title: string;
  error: { message: string; hint?: string | undefined };
  onRetry?: (() => void) | undefined;
}) {
  return (
    <div className={styles.state} role="alert">
      <span className={styles.bad}>
        <CircleAlert aria-hidden="true" />
      </span>
      <h2>{props.title}</h2>
      <p className={styles.words}>
        <Words text={props.error.message} />
      </p>
      {props.error.hint && (
        <p className={styles.words}>
          <Words text={props.error.hint} />
        </p>
      )}
      {props.onRetry && <Button onPress={props.onRetry}>Try again</Button>}
    </div>
  );
}

/** The shape of what is coming. Said once to screen readers. */
export function Skeleton(props: { lines?: number; label?: string }) {
  return (
    <div className={styles.skeleton} role="status">
      <span className="hidden-words">{props.label ?? "Loading…"}</span>
      {Array.from({ length: props.lines ?? 4 }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all the same
        <span key={i} className={styles.line} aria-hidden="true" />
      ))}
    </div>
  );
}

/** A remark that stays where it stands. */
export function Notice(props: {
  tone?: "plain" | "warn" | "bad" | "good";
  title?: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className={`${styles.notice} ${styles[`notice-${props.tone ?? "plain"}`] ?? ""}`}>
      <div className={styles.noticeWords}>
        {props.title && <strong>{props.title}</strong>}
        {props.children && (
          <div>
            {typeof props.children === "string" ? <Words text={props.children} /> : props.children}
          </div>
        )}
      </div>
      {props.action}
    </div>
  );
}
