import { AlarmClock, Check, ListPlus, PencilLine, X } from "lucide-react";
import { memo, type RefObject, useEffect, useState } from "react";
import { ARMING_MS } from "../../actions/arming";
import { Button } from "../../components/Button";
import { cx } from "../../components/cx";
import { Menu } from "../../components/Menu";
import { useSame } from "../../components/steady";
import type { ChoiceView, ReviewView } from "../../ipc/bindings";
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

interface On {
  /** Around the snooze button, so that its shortcut can open its menu. */
  snoozeRef: RefObject<HTMLSpanElement | null>;
  onChoose: (choice: string) => void;
  onOpen: (form: "reject" | "edit" | "always") => void;
  onSnooze: (seconds: number) => void;
}

/** What can be answered, with its keys and what each does. */
export function Choices(props: On & { review: ReviewView; why: string | undefined }) {
  const { review, why, ...on } = props;
  const armed = useArmed(review.id);
  // The next item mostly offers the same as the last one: then nothing here is drawn again.
  const offered = useSame({
    choices: review.choices,
    numbered: numberedChoices(review),
    editable: review.editable && offers(review, "approve"),
    always: Boolean(review.always) && offers(review, "approve"),
  });
  return (
    <div className={cx(styles.offer, !armed && styles.arming)} data-armed={armed}>
      <Offered offered={offered} why={why} {...on} />
    </div>
  );
}

interface Offer {
  choices: readonly ChoiceView[];
  /** Those without a letter of their own. */
  numbered: readonly ChoiceView[];
  editable: boolean;
  /** Whether its like may be allowed from now on. */
  always: boolean;
}

const Offered = memo(function Offered(props: On & { offered: Offer; why: string | undefined }) {
  const { why } = props;
  const { choices, numbered, editable, always } = props.offered;
  const approve = choices.find((c) => c.id === "approve");
  const reject = choices.find((c) => c.id === "reject");
  return (
    <>
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
          <Button keys="r" why={why} icon={<X size={16} />} onPress={() => props.onOpen("reject")}>
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
        {editable && (
          <Button
            keys="e"
            why={why}
            icon={<PencilLine size={16} />}
            onPress={() => props.onOpen("edit")}
          >
            Edit…
          </Button>
        )}
        {always && (
          <Button
            keys="shift+a"
            why={why}
            icon={<ListPlus size={16} />}
            onPress={() => props.onOpen("always")}
          >
            Always allow this here…
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
      {choices.length > 0 && (
        <ul className={styles.effects} aria-label="What the choices do">
          {choices.map((choice) => (
            <li key={choice.id}>
              <strong>{choice.label}:</strong> {choice.effect}
            </li>
          ))}
        </ul>
      )}
    </>
  );
});
