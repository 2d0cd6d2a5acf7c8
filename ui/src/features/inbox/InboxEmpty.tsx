import { Button } from "../../components/Button";
import { Countdown } from "../../components/figures";
import { plural } from "../../lib/numbers";
import { isLive } from "../../queries/run-words";
import { useRuns } from "../../queries/runs";
import styles from "./InboxRoom.module.css";

/** Nothing needs anybody: that is what the room is for. */
export function InboxEmpty(props: {
  snoozed: number;
  nextAt: string | null;
  onSnoozed: () => void;
  onHistory: () => void;
}) {
  const { data } = useRuns();
  const live = data?.runs.filter((run) => isLive(run.state)).length ?? 0;
  return (
    <div className={styles.empty}>
      <Horizon />
      <h2>Nothing needs you</h2>
      <p>
        {live > 0
          ? `${plural(live, "run")} ${live === 1 ? "works" : "work"} on without you. What needs a decision will wait here, however long it takes.`
          : "What needs a decision will wait here, however long it takes. You can close the window."}
      </p>
      {props.snoozed > 0 && (
        <p>
          {plural(props.snoozed, "item")} snoozed
          {props.nextAt && (
            <>
              ; the next comes back <Countdown until={props.nextAt} />
            </>
          )}
          .
        </p>
      )}
      <div className={styles.links}>
        {props.snoozed > 0 && (
          <Button look="quiet" onPress={props.onSnoozed}>
            Show what is snoozed
          </Button>
        )}
        <Button look="quiet" keys="h" onPress={props.onHistory}>
          History of decisions
        </Button>
      </div>
    </div>
  );
}

/** A long road, all of it behind. */
function Horizon() {
  return (
    <svg className={styles.sky} viewBox="0 0 128 80" fill="none" aria-hidden="true">
      <circle className={styles.sun} cx="64" cy="46" r="26" />
      <path className={styles.ground} d="M4 56h120" strokeWidth="1.5" />
      <path
        className={styles.path}
        d="M40 40l17 16 32-34"
        strokeWidth="5"
        strokeLinejoin="round"
        pathLength={1}
      />
    </svg>
  );
}
