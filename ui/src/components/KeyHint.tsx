import { type Keys, keyCaps } from "../lib/keys";
import styles from "./KeyHint.module.css";

/** A shortcut as key caps. Decoration: `aria-keyshortcuts` says it to screen readers. */
export function KeyHint({ keys }: { keys: Keys }) {
  return (
    <span className={styles.keys} aria-hidden="true">
      {keyCaps(keys).map((cap, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a shortcut never changes its order
        <kbd key={i} className={styles.cap}>
          {cap}
        </kbd>
      ))}
    </span>
  );
}
