import { Markdown } from "../../components/Markdown";
import { useFold } from "./run-state";
import styles from "./Timeline.module.css";

const FOLDED_CHARS = 1400;

/** What somebody said, folded where it is long. */
export function Said({ run, id, text }: { run: string; id: string; text: string }) {
  const [open, toggle] = useFold(run, `${id}/said`);
  const long = text.length > FOLDED_CHARS;
  return (
    <div className={styles.said}>
      <Markdown text={long && !open ? `${text.slice(0, FOLDED_CHARS)}…` : text} />
      {long && (
        <button type="button" className={styles.more} aria-expanded={open} onClick={toggle}>
          {open ? "Show less" : "Show more"}
        </button>
      )}
    </div>
  );
}
