import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { hasHidden, plain } from "../lib/plain";
import { IconButton } from "./Button";
import styles from "./CodeBlock.module.css";
import { cx } from "./cx";

/** How much is shown before one asks for the rest: a page of a million lines helps nobody. */
const SHOWN_CHARS = 40_000;

/** A command, its output, a file: text only, with whatever is hidden in it written out. */
export function CodeBlock(props: {
  text: string;
  label: string;
  /** Breaks long lines instead of scrolling them. */
  wrap?: boolean;
  /** At most so high, in rem; it scrolls inside. */
  maxHeight?: number;
}) {
  const [whole, setWhole] = useState(false);
  const [copied, setCopied] = useState(false);
  const cut = !whole && props.text.length > SHOWN_CHARS;
  const shown = plain(cut ? props.text.slice(0, SHOWN_CHARS) : props.text);
  const copy = () => {
    void navigator.clipboard.writeText(props.text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <div className={styles.block}>
      {hasHidden(props.text) && (
        <p className={styles.warning}>
          It holds characters that are invisible or change the direction of reading; they are
          written out as ⟨U+…⟩.
        </p>
      )}
      <section
        className={cx(styles.text, props.wrap && styles.wrap)}
        style={props.maxHeight ? { maxHeight: `${props.maxHeight}rem` } : {}}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label={props.label}
      >
        <pre>{shown}</pre>
      </section>
      {cut && (
        <button type="button" className={styles.more} onClick={() => setWhole(true)}>
          Show all {props.text.length.toLocaleString("en-US")} characters
        </button>
      )}
      <span className={styles.copy}>
        <IconButton
          label={copied ? "Copied" : `Copy ${props.label.toLowerCase()}`}
          icon={copied ? <Check size={16} /> : <Copy size={16} />}
          onPress={copy}
        />
      </span>
    </div>
  );
}
