import { FlaskConical, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { StatePill } from "../../components/Badge";
import { Button } from "../../components/Button";
import { ConfirmDialog, Dialog } from "../../components/Dialog";
import { Countdown, RelativeTime } from "../../components/figures";
import { Loaded } from "../../components/Loaded";
import { Facts, Section } from "../../components/Page";
import { Notice } from "../../components/states";
import type { WebhookState, WebhookTest, WebhookTopic } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { capital, plain } from "../../lib/plain";
import { useCall, useCallMutation } from "../../queries/call";
import { sourceWords } from "../../queries/secret-words";
import { useWhyNot } from "../../stores/connection";
import { toast, toastError } from "../../stores/toasts";
import styles from "./settings.module.css";
import { WebhookForm } from "./WebhookForm";

const TOPIC: Record<WebhookTopic, string> = { reviews: "reviews", runs: "runs that end" };

/** A program of the user's that is told of reviews and of runs that end. */
export function Webhook() {
  // Deliveries and tries in vain are no events.
  const view = useCall("webhook", {}, { everyMs: 10_000 });
  return (
    <Section title="Webhook">
      <p className={styles.intro}>
        Longhaul can tell a program of yours of reviews and of runs that end. Each delivery is a
        small JSON document, signed with your secret; what is not taken is sent again for about a
        day.
      </p>
      <Loaded query={view} what="the webhook" lines={4}>
        {({ webhook }) => (webhook ? <Told webhook={webhook} /> : <Nobody />)}
      </Loaded>
    </Section>
  );
}

function Nobody() {
  return (
    <div className={styles.stack}>
      <p>
        <StatePill tone="calm">Nobody is told</StatePill>
      </p>
      <WebhookForm before={null} onDone={() => {}} />
    </div>
  );
}

function Told({ webhook }: { webhook: WebhookState }) {
  const [dialog, setDialog] = useState<"change" | "remove" | null>(null);
  const close = () => setDialog(null);
  const host = plain(webhook.host);
  const why = useWhyNot();
  const test = useCallMutation("webhook_test", {
    onError: (error) => toastError("The test was not sent", error),
  });
  const remove = useCallMutation("webhook_remove", {
    onDone: () => toast({ tone: "plain", title: `${host} is told nothing any more` }),
    onError: (error) => toastError("The webhook could not be removed", error),
  });
  return (
    <div className={styles.stack}>
      <Facts
        facts={[
          [
            "State",
            <StatePill key="state" tone={webhook.ok ? "good" : "bad"}>
              {webhook.ok ? "Works" : "Trouble"}
            </StatePill>,
          ],
          ["Host", <code key="host">{host}</code>],
          ["Told of", webhook.events.map((topic) => TOPIC[topic]).join(" and ")],
          [
            "Signed with",
            webhook.key.from === "none" ? "nothing" : `a secret ${plain(sourceWords(webhook.key))}`,
          ],
          ["Last delivered", <RelativeTime key="at" at={webhook.delivered_at} />],
          ...(webhook.waiting > 0 ? [waiting(webhook)] : []),
        ]}
      />
      {!webhook.ok && (
        <Notice tone="bad" title={`${capital(plain(webhook.words))}.`}>
          Look whether the program answers at {host}, then test it. A change of address or secret
          holds for what still waits too.
        </Notice>
      )}
      {test.data && <Answer test={test.data} at={test.submittedAt} />}
      <div className={styles.buttons}>
        <Button
          icon={<FlaskConical />}
          why={why}
          isDisabled={Boolean(why) || test.isPending}
          onPress={() => test.mutate({})}
        >
          {test.isPending ? "Sending…" : "Send a test"}
        </Button>
        <Button icon={<Pencil />} why={why} onPress={() => setDialog("change")}>
          Change…
        </Button>
        <Button look="quiet" icon={<Trash2 />} why={why} onPress={() => setDialog("remove")}>
          Remove…
        </Button>
      </div>
      <Dialog title="Change the webhook" open={dialog === "change"} onClose={close}>
        <WebhookForm before={webhook} onDone={close} />
      </Dialog>
      <ConfirmDialog
        title={`Tell ${host} nothing any more?`}
        open={dialog === "remove"}
        onClose={close}
        onConfirm={() => remove.mutate({})}
        confirm="Remove"
        danger
      >
        Its address is forgotten, and its secret is taken out of the keychain.
        {webhook.waiting > 0 &&
          ` ${capital(plural(webhook.waiting, "delivery", "deliveries"))} that still wait are never sent.`}
      </ConfirmDialog>
    </div>
  );
}

const waiting = ({ waiting, next_at }: WebhookState): [string, React.ReactNode] => [
  "Not delivered yet",
  <span key="waiting">
    {plural(waiting, "delivery", "deliveries")}
    {next_at && (
      <>
        , next try <Countdown until={next_at} />
      </>
    )}
  </span>,
];

function Answer({ test, at }: { test: WebhookTest; at: number }) {
  const delivery = <code>{plain(test.delivery)}</code>;
  return (
    <div role="status">
      <Notice
        tone={test.ok ? "good" : "bad"}
        title={test.ok ? "The test was taken" : "The test was not taken"}
      >
        {!test.ok && <p>{capital(plain(test.words))}.</p>}
        It was sent <RelativeTime at={new Date(at).toISOString()} /> as delivery {delivery}.
      </Notice>
    </div>
  );
}
