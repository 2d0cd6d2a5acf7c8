import { useState } from "react";
import { Button } from "../../components/Button";
import { ConfirmDialog } from "../../components/Dialog";
import type { PolicyLayer } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { plain } from "../../lib/plain";
import { useCallMutation } from "../../queries/call";
import { useWhyNot } from "../../stores/connection";
import { toast, toastError } from "../../stores/toasts";
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
  const trust = (trusted: boolean) => change.mutate({ project, trusted });

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
            onPress={() => trust(false)}
          >
            Trust them no longer
          </Button>
        </div>
      </div>
    );
  }
  if (layer.state !== "only_tightens") return null;
  const allowing = plural(layer.left_out, "rule");
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
            why={why}
            isDisabled={Boolean(why) || change.isPending}
            onPress={() => setAsking(true)}
          >
            Trust them as they are now…
          </Button>
        </div>
      )}
      <ConfirmDialog
        title="Trust this project's rules?"
        open={asking}
        onClose={() => setAsking(false)}
        onConfirm={() => trust(true)}
        confirm="I have read it: trust it"
        danger
      >
        <div className={styles.stack}>
          <p>
            {allowing} in it would then let calls run that are reviewed now. Read the file first:
            what stands in it at this moment is what you trust, and no later text.
          </p>
          <code className={styles.file}>{plain(layer.file ?? "")}</code>
        </div>
      </ConfirmDialog>
    </div>
  );
}
