import { plain } from "../../lib/plain";
import { useStreaming } from "../../queries/runs";
import styles from "./Timeline.module.css";

/** Only the end of what streams in is worth laying out sixty times a second. */
const SHOWN_CHARS = 4000;
const THOUGHT_CHARS = 240;

/** What the model is saying right now. The text lives outside of React; this looks once a frame. */
export function LiveText({ run }: { run: string }) {
  const streams = useStreaming(run);
  return streams.map(({ op, text, thinking }) => (
    <div key={op} className={styles.live} aria-hidden="true">
      {thinking && !text && (
        <p className={styles.thinking}>
          <span className={styles.faint}>Thinking…</span>{" "}
          {plain(thinking.slice(-THOUGHT_CHARS)).replace(/\s+/g, " ")}
        </p>
      )}
      {text && (
        <pre className={styles.saying}>
          {text.length > SHOWN_CHARS && "…"}
          {plain(text.slice(-SHOWN_CHARS))}
        </pre>
      )}
    </div>
  ));
}
