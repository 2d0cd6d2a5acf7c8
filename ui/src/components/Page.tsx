import type { ReactNode } from "react";
import { cx } from "./cx";
import styles from "./Page.module.css";

/** A room: its title with what can be done, and its content below. */
export function Page(props: {
  title: string;
  /** Beside the title: a count, a state. */
  beside?: ReactNode;
  actions?: ReactNode;
  /** The content scrolls as one; otherwise its parts do themselves. */
  scrolls?: boolean;
  children: ReactNode;
}) {
  return (
    <div className={styles.page}>
      <header className={styles.header}>
        <h1>{props.title}</h1>
        {props.beside && <div className={styles.beside}>{props.beside}</div>}
        <div className={styles.actions}>{props.actions}</div>
      </header>
      <div className={cx(styles.body, props.scrolls && styles.scrolls)}>{props.children}</div>
    </div>
  );
}

/** A part of a scrolling page with a heading of its own. */
export function Section(props: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className={styles.section} aria-label={props.title}>
      <div className={styles.sectionHead}>
        <h2>{props.title}</h2>
        {props.actions}
      </div>
      {props.children}
    </section>
  );
}

/** Names and values. */
export function Facts(props: { facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className={styles.facts}>
      {props.facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
