import { Section } from "../../components/Page";
import { Notice } from "../../components/states";
import type { BrokenRules } from "../../ipc/bindings";
import { plain } from "../../lib/plain";
import styles from "./HealthRoom.module.css";

/** Files of rules that cannot be read: nothing where all can. */
export function Rules({ broken }: { broken: readonly BrokenRules[] }) {
  if (broken.length === 0) return null;
  return (
    <Section title="Rules that cannot be read">
      {broken.map((file) => (
        <Notice
          key={file.file}
          tone="bad"
          title={file.project ? `The rules of ${plain(file.project)}` : "Your rules"}
        >
          <p>
            <span className={styles.path}>{plain(file.file)}</span>: {plain(file.why)}
          </p>
          <p>
            Everything {file.project ? "in this project" : "in every project"} is reviewed until it
            is mended there.
          </p>
        </Notice>
      ))}
    </Section>
  );
}
