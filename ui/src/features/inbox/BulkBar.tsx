import { X } from "lucide-react";
import { Button, IconButton } from "../../components/Button";
import { plural } from "../../lib/numbers";
import styles from "./InboxRoom.module.css";

/** What can be done with several items at once. */
export function BulkBar(props: {
  count: number;
  why: string | undefined;
  onApprove: (() => void) | null;
  onReject: (() => void) | null;
  onClear: () => void;
}) {
  return (
    <section className={styles.bulk} aria-label="Selected items">
      <span>{plural(props.count, "item")} selected</span>
      {props.onApprove && (
        <Button small look="primary" keys="a" why={props.why} onPress={props.onApprove}>
          Approve
        </Button>
      )}
      {props.onReject && (
        <Button small keys="r" why={props.why} onPress={props.onReject}>
          Reject…
        </Button>
      )}
      <IconButton
        label="Clear the selection"
        keys="escape"
        icon={<X size={16} />}
        onPress={props.onClear}
      />
    </section>
  );
}

/**
 * Several items ask for the very same call, or (where they are grouped so) were asked about by the
 * same rule: they can be answered together, if that is wanted.
 */
export function SameBar(props: { count: number; by: "call" | "rule"; onChoose: () => void }) {
  return (
    <section className={styles.bulk} aria-label="Equal items">
      <span>
        {plural(props.count, "item")}{" "}
        {props.by === "call"
          ? "ask for this very call"
          : "were flagged by this rule, each for its own call"}
      </span>
      <Button small keys="=" onPress={props.onChoose}>
        Select them
      </Button>
    </section>
  );
}
