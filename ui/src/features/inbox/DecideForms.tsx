import { type KeyboardEvent, type ReactNode, useState } from "react";
import { Button } from "../../components/Button";
import { NumberField, TextField } from "../../components/fields";
import type { ReviewView } from "../../ipc/bindings";
import { argumentsOf } from "./asked";
import type { Extras } from "./decisions";
import styles from "./ReviewPanel.module.css";

interface FormProps {
  review: ReviewView;
  /** Why nothing can be decided now. */
  why: string | undefined;
  onSend: (choice: string, extras: Extras) => void;
  onCancel: () => void;
}

/** A form below what is asked: Ctrl+Enter sends it, Escape puts it away. */
function Frame(props: {
  label: string;
  onSubmit: () => void;
  onCancel: () => void;
  children: ReactNode;
}) {
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      props.onSubmit();
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      props.onCancel();
    }
  };
  return (
    <form
      className={styles.form}
      aria-label={props.label}
      onKeyDown={onKeyDown}
      onSubmit={(event) => {
        event.preventDefault();
        props.onSubmit();
      }}
    >
      {props.children}
    </form>
  );
}

/** "No", with a word to the agent. */
export function RejectForm({ review, many, why, onSend, onCancel }: FormProps & { many: number }) {
  const [note, setNote] = useState("");
  const send = () => {
    if (!why) onSend("reject", note.trim() ? { note: note.trim() } : {});
  };
  const effect = review.choices.find((c) => c.id === "reject")?.effect;
  return (
    <Frame label="Reject with a note" onSubmit={send} onCancel={onCancel}>
      <TextField
        label={many > 1 ? `Note for the agents (${many} items)` : "Note for the agent"}
        value={note}
        onChange={setNote}
        rows={3}
        autoFocus
        placeholder="What to do instead (optional)"
        help={effect}
      />
      <div className={styles.buttons}>
        <Button onPress={onCancel}>Cancel</Button>
        <Button look="danger" type="submit" why={why} keys="mod+enter">
          Reject
        </Button>
      </div>
    </Frame>
  );
}

/** The arguments as fields where they are text, whole as JSON where they are not. */
export function EditForm({ review, why, onSend, onCancel }: FormProps) {
  const original = argumentsOf(review.arguments) ?? {};
  const [values, setValues] = useState<Record<string, string>>(() =>
    Object.fromEntries(
      Object.entries(original).map(([name, value]) => [
        name,
        typeof value === "string" ? value : JSON.stringify(value, null, 2),
      ]),
    ),
  );
  const [wrong, setWrong] = useState<Record<string, string>>({});

  const send = () => {
    if (why) return;
    const edited: NonNullable<Extras["arguments"]> = {};
    const problems: Record<string, string> = {};
    for (const [name, text] of Object.entries(values)) {
      if (typeof original[name] === "string") edited[name] = text;
      else {
        try {
          edited[name] = JSON.parse(text) as NonNullable<Extras["arguments"]>[string];
        } catch {
          problems[name] = "This is not JSON. A text needs quotes around it here.";
        }
      }
    }
    setWrong(problems);
    if (Object.keys(problems).length > 0) return;
    const same = JSON.stringify(edited) === JSON.stringify(original);
    onSend("approve", same ? {} : { arguments: edited });
  };

  return (
    <Frame label="Edit the arguments" onSubmit={send} onCancel={onCancel}>
      {Object.entries(values).map(([name, text], i) => (
        <TextField
          key={name}
          label={name}
          value={text}
          mono
          rows={Math.min(24, Math.max(1, text.split("\n").length + (text.length > 80 ? 1 : 0)))}
          error={wrong[name]}
          autoFocus={i === 0}
          onChange={(now) => setValues((before) => ({ ...before, [name]: now }))}
        />
      ))}
      <div className={styles.buttons}>
        <Button onPress={onCancel}>Cancel</Button>
        <Button look="primary" type="submit" why={why} keys="mod+enter">
          Approve as edited
        </Button>
      </div>
    </Frame>
  );
}

/** An answer in the person's own words. */
export function AnswerForm({ review, why, onSend }: Omit<FormProps, "onCancel">) {
  const [text, setText] = useState("");
  const send = () => {
    if (!why && text.trim()) onSend(text.trim(), {});
  };
  return (
    <Frame
      label="Answer"
      onSubmit={send}
      onCancel={() => {
        // Escape leaves the field and keeps what was typed.
        if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
      }}
    >
      <TextField
        label={review.choices.length > 0 ? "Or answer in your own words" : "Your answer"}
        value={text}
        onChange={setText}
        rows={3}
      />
      <div className={styles.buttons}>
        <Button
          look={review.choices.length > 0 ? "plain" : "primary"}
          type="submit"
          why={why}
          keys="mod+enter"
          isDisabled={Boolean(why) || !text.trim()}
        >
          Send the answer
        </Button>
      </div>
    </Frame>
  );
}

/** More budget: by its first amount, or up to what is named. */
export function MoreForm({ review, why, onSend, onCancel }: FormProps) {
  const [amount, setAmount] = useState(Number.NaN);
  const isCost = /cost/i.test(review.title);
  const send = () => {
    if (why) return;
    onSend("more", Number.isNaN(amount) ? {} : { max_cost_usd: amount.toString() });
  };
  return (
    <Frame label="More budget" onSubmit={send} onCancel={onCancel}>
      <p>{review.choices.find((c) => c.id === "more")?.effect}</p>
      {isCost && (
        <NumberField
          label="New cost cap"
          unit="USD"
          value={amount}
          minValue={0}
          onChange={setAmount}
          autoFocus
          placeholder="By its first amount"
        />
      )}
      <div className={styles.buttons}>
        <Button onPress={onCancel}>Cancel</Button>
        <Button look="primary" type="submit" why={why} keys="mod+enter" autoFocus={!isCost}>
          Go on
        </Button>
      </div>
    </Frame>
  );
}
