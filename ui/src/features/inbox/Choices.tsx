import { AlarmClock, Check, PencilLine, X } from "lucide-react";
import { type RefObject, useEffect, useState } from "react";
import { ARMING_MS } from "../../actions/arming";
import { Button } from "../../components/Button";
import { cx } from "../../components/cx";
import { Menu } from "../../components/Menu";
import type { ReviewView } from "../../ipc/bindings";
import { numberedChoices, offers } from "./kinds";
import { snoozeTimes } from "./queue";
import styles from "./ReviewPanel.module.css";

/** False for the first half second of an object: what is pressed then was meant for another one. */
export function useArmed(object: string | null): boolean {
  const [armed, setArmed] = useState<string | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setArmed(object), ARMING_MS);
    return () => clearTimeout(timer);
  }, [object]);
  return armed === object;
}

/** What can be answered, with its keys and what each does. */
export function Choices(props: {
  review: ReviewView;
  armed: boolean;
  why: string | undefined;
  /** Around the snooze button, so that its shortcut can open its menu. */
  snoozeRef: RefObject<HTMLSpanElement | null>;
  onChoose: (choice: string) => void;
  onReject: () => void;
  onEdit: () => void;
  onSnooze: (seconds: number) => void;
}) {
  const { review, why } = props;
  const approve = review.choices.find((c) => c.id === "approve");
  const reject = review.choices.find((c) => c.id === "reject");
  const numbered = numberedChoices(review);
  return (
    <div className={cx(!props.armed && styles.arming)} data-armed={props.armed}>
      <div className={styles.choices}>
        {approve && (
          <Button
            look="primary"
            keys="a"
            why={why}
            icon={<Check size={16} />}
            onPress={() => props.onChoose("approve")}
          >
            {approve.label}
          </Button>
        )}
        {reject && (
          <Button keys="r" why={why} icon={<X size={16} />} onPress={props.onReject}>
            {reject.label}…
          </Button>
        )}
        {numbered.map((choice, i) => (
          <Button
            key={choice.id}
            look={i === 0 && !approve ? "primary" : "plain"}
            keys={i < 5 ? `${i + 1}` : undefined}
            why={why}
            onPress={() => props.onChoose(choice.id)}
          >
            {choice.label}
          </Button>
        ))}
        {review.editable && offers(review, "approve") && (
          <Button keys="e" why={why} icon={<PencilLine size={16} />} onPress={props.onEdit}>
            Edit…
          </Button>
        )}
        <span ref={props.snoozeRef}>
          <Menu
            label="Snooze until"
            trigger={
              <Button look="quiet" keys="s" why={why} icon={<AlarmClock size={16} />}>
                Snooze
              </Button>
            }
            entries={snoozeTimes(new Date()).map((time) => ({
              id: time.id,
              label: time.label,
              run: () => props.onSnooze(time.seconds),
            }))}
          />
        </span>
      </div>
      {review.choices.length > 0 && (
        <ul className={styles.effects} aria-label="What the choices do">
          {review.choices.map((choice) => (
            <li key={choice.id}>
              <strong>{choice.label}:</strong> {choice.effect}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
