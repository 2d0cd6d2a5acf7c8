import { type FormEvent, useState } from "react";
import { Button } from "../../components/Button";
import { Field, Switch, TextField } from "../../components/fields";
import { NO_SECRET, SecretFields } from "../../components/SecretFields";
import { Notice } from "../../components/states";
import type { WebhookState, WebhookTopic } from "../../ipc/bindings";
import { plain } from "../../lib/plain";
import { useCallMutation } from "../../queries/call";
import { sourceOf } from "../../queries/secret-words";
import { useWhyNot } from "../../stores/connection";
import { toast } from "../../stores/toasts";
import styles from "./settings.module.css";

const TOPICS: { id: WebhookTopic; label: string }[] = [
  { id: "reviews", label: "Reviews that are asked for" },
  { id: "runs", label: "Runs that are completed, failed or cancelled" },
];

const EXAMPLES = { command: "pass show longhaul-webhook", env: "LONGHAUL_WEBHOOK_SECRET" };

function missing(draft: {
  url: string;
  topics: readonly WebhookTopic[];
  secret: boolean;
}): string | undefined {
  if (!draft.url.trim()) return "Its address is missing";
  if (draft.topics.length === 0) return "Choose what it is told of";
  return draft.secret ? undefined : "A secret that signs what is sent is missing";
}

/** Sets the webhook up, or changes it. What the daemon keeps of it is not shown here again. */
export function WebhookForm(props: { before: WebhookState | null; onDone: () => void }) {
  const { before } = props;
  const [url, setUrl] = useState("");
  const [topics, setTopics] = useState<readonly WebhookTopic[]>(
    before?.events ?? TOPICS.map(({ id }) => id),
  );
  const [secret, setSecret] = useState(NO_SECRET);
  const set = useCallMutation("webhook_set", {
    onDone: ({ webhook }) => {
      props.onDone();
      toast({
        tone: "good",
        title: webhook ? `${plain(webhook.host)} is told from now on` : "The webhook is set",
        detail: "Send a test to see whether it listens.",
      });
    },
  });
  const key = sourceOf(secret);
  const lost = useWhyNot();
  const why = lost ?? missing({ url, topics, secret: key !== null || before !== null });
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (!why && !set.isPending) set.mutate({ url: url.trim(), events: [...topics], key });
  };
  const toggle = (topic: WebhookTopic, on: boolean) =>
    setTopics(TOPICS.map(({ id }) => id).filter((id) => (id === topic ? on : topics.includes(id))));

  return (
    <form
      className={styles.form}
      onSubmit={send}
      aria-label={before ? "Change the webhook" : "Set up a webhook"}
    >
      <TextField
        label="Address"
        value={url}
        onChange={setUrl}
        placeholder="https://hooks.example.org/longhaul"
        help={
          before
            ? `Type it again: of the one there is, only the host (${plain(before.host)}) is shown.`
            : "https, or http on this machine. It may be a secret in itself: only its host is shown later."
        }
        autoComplete="off"
        spellCheck="false"
        autoFocus={before !== null}
        mono
      />
      <Field label="It is told of">
        {TOPICS.map(({ id, label }) => (
          <Switch
            key={id}
            label={label}
            on={topics.includes(id)}
            onChange={(on) => toggle(id, on)}
          />
        ))}
      </Field>
      <SecretFields
        name="secret"
        examples={EXAMPLES}
        draft={secret}
        onChange={setSecret}
        optional={before ? "empty: the one there is" : false}
      />
      {set.error && (
        <Notice tone="bad" title={plain(set.error.message)}>
          {set.error.hint}
        </Notice>
      )}
      <div className={styles.buttons}>
        <Button type="submit" look="primary" why={why} isDisabled={Boolean(why) || set.isPending}>
          {set.isPending ? "Keeping it…" : before ? "Change" : "Set up"}
        </Button>
      </div>
    </form>
  );
}
