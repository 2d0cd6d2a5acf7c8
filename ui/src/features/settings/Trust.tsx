import { useState } from "react";
import { Badge } from "../../components/Badge";
import { Button } from "../../components/Button";
import { CodeBlock } from "../../components/CodeBlock";
import { Dialog } from "../../components/Dialog";
import type { PolicyLayer, PolicyText } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { oneLine, plain } from "../../lib/plain";
import { useCallMutation } from "../../queries/call";
import { useWhyNot } from "../../stores/connection";
import { toast, toastError } from "../../stores/toasts";
import { OUTCOME } from "./outcome";
import styles from "./settings.module.css";

/**
 * Whether what a project says of itself may also allow. Whoever writes into the project writes
 * these rules: they only tighten until somebody has read them.
 */
export function Trust({ layer, project }: { layer: PolicyLayer; project: string }) {
  const [asking, setAsking] = useState(false);
  const why = useWhyNot();
  const change = useCallMutation("policy_trust", {
    onDone: (_, { trusted }) =>
      toast({
        tone: trusted ? "good" : "plain",
        title: trusted ? "The project's rules are trusted" : "The project's rules only tighten now",
        detail: trusted
          ? "As they are now: when the file changes, they only tighten again."
          : "They still ask for more and refuse more.",
      }),
    onError: (error) => toastError("Nothing was changed about the trust", error),
  });

  if (layer.state === "read") {
    return (
      <div className={styles.stack}>
        <p className={styles.soft}>
          They count as they are now. When the file changes, those that allow count no more until
          you trust it again.
        </p>
        <div>
          <Button
            why={why}
            isDisabled={Boolean(why) || change.isPending}
            onPress={() => change.mutate({ project, trusted: false })}
          >
            Trust them no longer
          </Button>
        </div>
      </div>
    );
  }
  if (layer.state !== "only_tightens") return null;
  const allowing = plural(layer.left_out, "rule");
  const unread = why ?? (layer.written ? undefined : "Its text could not be read");
  return (
    <div className={styles.stack}>
      <p className={styles.soft}>
        Whoever can write into the project can write these rules, so they only ask for more and
        refuse more.{" "}
        {layer.left_out > 0
          ? `${allowing} that would let calls run without asking ${layer.left_out === 1 ? "does" : "do"} not count.`
          : "None of them would let a call run without asking: there is nothing to trust."}
      </p>
      {layer.left_out > 0 && (
        <div>
          <Button
            why={unread}
            isDisabled={Boolean(unread) || change.isPending}
            onPress={() => setAsking(true)}
          >
            Read and trust them…
          </Button>
        </div>
      )}
      {asking && layer.written && (
        <TrustDialog
          file={layer.file ?? ""}
          written={layer.written}
          onClose={() => setAsking(false)}
          onTrust={(digest) => change.mutate({ project, trusted: true, digest })}
        />
      )}
    </div>
  );
}

/**
 * The text to be trusted, and only it: what the file says when this is pressed may be another one,
 * so the digest of what was read goes along.
 */
function TrustDialog(props: {
  file: string;
  written: PolicyText;
  onClose: () => void;
  onTrust: (digest: string) => void;
}) {
  const { written, onClose } = props;
  // What is agreed to is what stood here when it opened, whatever is read meanwhile.
  const [shown] = useState(written);
  const changed = written.digest !== shown.digest;
  return (
    <Dialog
      title="Trust this project's rules?"
      open
      alert
      wide
      onClose={onClose}
      footer={
        <>
          <Button onPress={onClose} autoFocus>
            Cancel
          </Button>
          <Button
            look="danger"
            why={
              changed ? "The file is another one by now: close this and read it again" : undefined
            }
            onPress={() => {
              onClose();
              props.onTrust(shown.digest);
            }}
          >
            Trust this text
          </Button>
        </>
      }
    >
      <div className={styles.stack}>
        <p>These rules would then let calls run that are reviewed now:</p>
        <ul className={styles.rules} aria-label="What it would let run">
          {shown.loosens.map((rule) => (
            <li key={rule.id} className={styles.rule}>
              <Badge tone={OUTCOME[rule.outcome].tone}>{OUTCOME[rule.outcome].word}</Badge>
              <span className={styles.ruleName}>
                {oneLine(rule.name)} <code className={styles.soft}>{oneLine(rule.id, 60)}</code>
              </span>
            </li>
          ))}
        </ul>
        <CodeBlock label={`The text of ${plain(props.file)}`} text={shown.text} maxHeight={20} />
        <p className={styles.soft}>
          <code className={styles.file}>{plain(props.file)}</code>, as the text with the digest{" "}
          <code className={styles.file}>{plain(shown.digest)}</code>. When the file changes, it is
          not trusted any more.
        </p>
      </div>
    </Dialog>
  );
}
