import { Trash2 } from "lucide-react";
import { useState } from "react";
import { Badge, type Tone } from "../../components/Badge";
import { IconButton } from "../../components/Button";
import { ConfirmDialog } from "../../components/Dialog";
import { Notice } from "../../components/states";
import type { LayerState, PolicyLayer, PolicyRule } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { capital, oneLine, plain } from "../../lib/plain";
import { useCallMutation } from "../../queries/call";
import { useWhyNot } from "../../stores/connection";
import { toast, toastError } from "../../stores/toasts";
import { OUTCOME } from "./outcome";
import styles from "./settings.module.css";
import { Trust } from "./Trust";

const STATE: Record<LayerState, { tone: Tone; word: string }> = {
  built_in: { tone: "calm", word: "Built in" },
  absent: { tone: "calm", word: "None" },
  read: { tone: "calm", word: "In force" },
  only_tightens: { tone: "warn", word: "Not trusted" },
  broken: { tone: "bad", word: "Cannot be read" },
};

/** Layers that are the user's, in a file the daemon writes. */
const OWN = ["user", "here"];

/** The rules of one source: where they stand, how far they count, and each with what it decides. */
export function RuleLayer({ layer, project }: { layer: PolicyLayer; project: string | null }) {
  const state =
    layer.source === "project" && layer.state === "read"
      ? { tone: "good" as const, word: "Trusted" }
      : STATE[layer.state];
  const rules = (
    <ul className={styles.rules} aria-label={`Rules of ${plain(layer.title)}`}>
      {layer.rules.map((rule) => (
        <Rule key={rule.id} rule={rule} layer={layer} project={project} />
      ))}
    </ul>
  );
  return (
    <li className={styles.layer}>
      <h3 className={styles.layerTitle}>
        {capital(plain(layer.title))}
        <Badge tone={state.tone}>{state.word}</Badge>
      </h3>
      {layer.file && (
        <p className={styles.soft}>
          <code className={styles.file}>{plain(layer.file)}</code>
          {layer.state === "absent" && " is not there."}
        </p>
      )}
      {layer.state === "broken" && (
        <Notice tone="bad" title="Everything is reviewed until this file is mended">
          {plain(layer.trouble ?? "")}
        </Notice>
      )}
      {layer.source === "project" && project !== null && <Trust layer={layer} project={project} />}
      {layer.rules.length > 0 &&
        // Nobody comes here for these; they are what all others stand on.
        (layer.state === "built_in" ? (
          <details className={styles.fold}>
            <summary>{plural(layer.rules.length, "rule")}</summary>
            {rules}
          </details>
        ) : (
          rules
        ))}
    </li>
  );
}

function Rule(props: { rule: PolicyRule; layer: PolicyLayer; project: string | null }) {
  const { rule, layer, project } = props;
  const [asking, setAsking] = useState(false);
  const why = useWhyNot();
  const name = oneLine(rule.name);
  const remove = useCallMutation("policy_remove", {
    onDone: () => toast({ tone: "plain", title: `The rule “${name}” is removed` }),
    onError: (error) => toastError("The rule could not be removed", error),
  });
  const outcome = OUTCOME[rule.outcome];
  return (
    <li className={styles.rule}>
      <Badge tone={outcome.tone}>{outcome.word}</Badge>
      <span className={styles.ruleName}>
        {name} <code className={styles.soft}>{oneLine(rule.id, 60)}</code>
      </span>
      {OWN.includes(layer.source) && layer.state !== "broken" && (
        <>
          <IconButton
            label={`Remove the rule “${name}”`}
            icon={<Trash2 />}
            isDisabled={Boolean(why) || remove.isPending}
            onPress={() => setAsking(true)}
          />
          <ConfirmDialog
            title={`Remove the rule “${name}”?`}
            open={asking}
            onClose={() => setAsking(false)}
            onConfirm={() =>
              remove.mutate({ id: rule.id, project: layer.source === "here" ? project : null })
            }
            confirm="Remove"
            danger
          >
            It is taken out of <code>{plain(layer.file ?? "")}</code>, and no longer decides
            anything from the next call on
            {layer.source === "here" && ", in this project and in any other it names"}.
          </ConfirmDialog>
        </>
      )}
    </li>
  );
}
