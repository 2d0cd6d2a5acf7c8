import { useState } from "react";
import { Select } from "../../components/fields";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { plain } from "../../lib/plain";
import { exact } from "../../lib/time";
import { useCall } from "../../queries/call";
import styles from "./HealthRoom.module.css";

const LEVELS = [
  { id: "error", label: "Errors" },
  { id: "warn", label: "Warnings, errors" },
  { id: "info", label: "All" },
] as const;

const SHOWN = 200;

/** The end of the daemon's own log. */
export function LogTail() {
  const [level, setLevel] = useState("info");
  const log = useCall("log_lines", { limit: SHOWN, level }, { everyMs: 5000, keepPrevious: true });
  return (
    <Section
      title="Log"
      actions={
        <div className={styles.pick}>
          <Select label="Level" labelHidden value={level} onChange={setLevel} options={LEVELS} />
        </div>
      }
    >
      <Loaded query={log} what="the log">
        {({ lines }) =>
          lines.length === 0 ? (
            <p>Nothing was logged.</p>
          ) : (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
            <ol className={styles.log} tabIndex={0} aria-label="The newest lines of the log">
              {lines.map((line, i) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: lines may be the same, and only grow
                <li key={i}>
                  <time dateTime={line.at} title={exact(line.at)}>
                    {line.at.slice(11, 19)}
                  </time>
                  <span className={styles[line.level.toUpperCase()]}>{line.level}</span>
                  <span className={styles.words}>{plain(line.message)}</span>
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
    </Section>
  );
}
