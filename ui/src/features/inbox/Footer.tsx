import type { RefObject } from "react";
import type { ReviewView } from "../../ipc/bindings";
import { AlwaysDialog } from "./AlwaysDialog";
import { Choices } from "./Choices";
import { AnswerForm, EditForm, MoreForm, RejectForm } from "./DecideForms";
import type { Extras } from "./decisions";
import styles from "./ReviewPanel.module.css";

export type FormName = "reject" | "edit" | "more" | "always";

/** Where one decides: the choices, or the form one of them needs. */
export function Footer(props: {
  review: ReviewView;
  form: FormName | null;
  /** How many items a decision is about. */
  many: number;
  why: string | undefined;
  snoozeRef: RefObject<HTMLSpanElement | null>;
  onChoose: (choice: string) => void;
  onSend: (choice: string, extras: Extras) => void;
  onOpen: (form: FormName) => void;
  onClose: () => void;
  onSnooze: (seconds: number) => void;
  /** It was decided, with a rule for its like. */
  onAlways: () => void;
}) {
  const { review, why, form } = props;
  const common = { review, why, onSend: props.onSend, onCancel: props.onClose };
  return (
    <section className={styles.foot} aria-label="Decide">
      {form === "reject" && <RejectForm key={review.id} {...common} many={props.many} />}
      {form === "edit" && <EditForm key={review.id} {...common} />}
      {form === "more" && <MoreForm key={review.id} {...common} />}
      {form === "always" && (
        <AlwaysDialog
          key={review.id}
          review={review}
          why={why}
          onClose={props.onClose}
          onDone={props.onAlways}
        />
      )}
      {(form === null || form === "always") && (
        <>
          {review.kind === "question" && (
            <AnswerForm key={review.id} review={review} why={why} onSend={props.onSend} />
          )}
          <Choices
            review={review}
            why={why}
            snoozeRef={props.snoozeRef}
            onChoose={props.onChoose}
            onOpen={props.onOpen}
            onSnooze={props.onSnooze}
          />
        </>
      )}
    </section>
  );
}
