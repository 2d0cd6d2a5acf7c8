import { Button } from "../../components/Button";
import { CodeBlock } from "../../components/CodeBlock";
import { Dialog } from "../../components/Dialog";
import { RelativeTime } from "../../components/figures";
import { Notice, Skeleton } from "../../components/states";
import type { ReviewView, RulePreview } from "../../ipc/bindings";
import { asCallError } from "../../ipc/errors";
import { plural } from "../../lib/numbers";
import { oneLine, plain } from "../../lib/plain";
import { useCall, useSend } from "../../queries/call";
import { useLink } from "../../queries/link";
import { announce } from "../../stores/announcer";
import { useGo } from "../../stores/navigation";
import { toast } from "../../stores/toasts";

/**
 * "Always allow this here": the rule in full and what else it would have allowed, before it is
 * written. What is confirmed here takes effect at once, and is taken back in the rules.
 */
export function AlwaysDialog(props: {
  review: ReviewView;
  why: string | undefined;
  onClose: () => void;
  onDone: () => void;
}) {
  const { review, why, onClose } = props;
  const { transport } = useLink();
  const go = useGo();
  const send = useSend("decide");
  const preview = useCall("rule_preview", { review: review.id });
  const rule = preview.data?.rule ?? null;

  const confirm = async () => {
    if (rule === null) return;
    const project = preview.data?.project ?? "";
    const by = transport.kind === "tauri" ? "desktop" : "browser";
    try {
      await send({ review: review.id, choice: "approve", by, grace_ms: 0, rule });
      announce(`Always allowed here: ${oneLine(review.title, 80)}.`);
      toast({
        tone: "good",
        title: "Its like is allowed here from now on",
        action: {
          label: "Show the rules",
          run: () => go({ room: "settings", section: "rules", search: { project } }),
        },
        about: "always",
      });
      props.onDone();
    } catch (thrown) {
      const error = asCallError(thrown);
      toast({
        tone: "bad",
        title: "No rule was written and nothing is decided",
        detail: [error.message, error.hint].filter(Boolean).join(" "),
        about: "always",
      });
      onClose();
    }
  };

  return (
    <Dialog
      title="Always allow this here?"
      open
      wide
      onClose={onClose}
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button
            look="primary"
            why={why}
            // Nobody agrees to a rule they could not read.
            isDisabled={Boolean(why) || rule === null}
            onPress={() => void confirm()}
          >
            Approve and always allow
          </Button>
        </>
      }
    >
      {preview.data ? (
        <Proposed preview={preview.data} />
      ) : preview.error ? (
        <Notice tone="bad" title={preview.error.message}>
          {preview.error.hint}
        </Notice>
      ) : (
        <Skeleton lines={5} label="Looking for the narrowest rule…" />
      )}
    </Dialog>
  );
}

function Proposed({ preview }: { preview: RulePreview }) {
  if (preview.rule === null) {
    return <Notice title="No rule is offered for this">{plain(preview.why_not ?? "")}</Notice>;
  }
  return (
    <>
      <p>
        This call runs now, and its like is no longer asked about in {plain(preview.project)}. The
        rule is written to {plain(preview.file)}; Settings shows it and takes it back.
      </p>
      <CodeBlock label="The rule" text={preview.rule.trim()} />
      <p>
        {preview.looked_at === 0
          ? "Nothing else was asked here in the last 30 days."
          : `Of ${plural(preview.looked_at, "other review")} here in the last 30 days it would have spared you ${preview.spared}.`}
      </p>
      {preview.samples.length > 0 && (
        <ul aria-label="What else it would have allowed">
          {preview.samples.map((sample) => (
            <li key={sample.review}>
              <code>{oneLine(sample.title, 100)}</code> · {sample.answer ?? "not decided"},{" "}
              <RelativeTime at={sample.at} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
