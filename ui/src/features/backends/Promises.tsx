import { CircleCheck, CircleMinus, CircleX } from "lucide-react";
import type { Kept, Promised, PromiseOf } from "../../ipc/bindings";
import { plain } from "../../lib/plain";
import styles from "./backends.module.css";

const OF: Record<PromiseOf, string> = {
  cost: "Cost",
  tools: "Tools",
  permission: "Permission",
  interrupt: "Stopping",
  resume: "Going on",
};

const KEPT: Record<Kept, { word: string; icon: typeof CircleCheck; look: string | undefined }> = {
  yes: { word: "yes", icon: CircleCheck, look: styles.ok },
  partly: { word: "partly", icon: CircleMinus, look: styles.partly },
  no: { word: "no", icon: CircleX, look: styles.bad },
};

/** What a run on the backend can count on, and what not, in the daemon's words. */
export function Promises({ promises }: { promises: readonly Promised[] }) {
  if (promises.length === 0) return null;
  const less = promises.filter((promise) => promise.kept !== "yes").length;
  return (
    <details className={styles.promises}>
      <summary>What a run on it can count on{less > 0 && ` (${less} with exceptions)`}</summary>
      <ul className={styles.checks} aria-label="What a run on it can count on">
        {promises.map((promise) => {
          const { word, icon: Icon, look } = KEPT[promise.kept];
          return (
            <li key={promise.of} className={look}>
              <Icon aria-label={word} />
              <span>
                <strong>{OF[promise.of]}:</strong> {plain(promise.words)}
              </span>
            </li>
          );
        })}
      </ul>
    </details>
  );
}
