import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { Button } from "../../components/Button";
import { NumberField, Select, Switch, TextField } from "../../components/fields";
import { Notice } from "../../components/states";
import type { BackendView, Preset, ProjectFacts, Setting, WorkspaceMode } from "../../ipc/bindings";
import { formatUsd } from "../../lib/money";
import { count } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { duration } from "../../lib/time";
import { useRuns } from "../../queries/runs";
import { changeDraft, defaultOf, problems, useDraft } from "./draft";
import styles from "./NewRunRoom.module.css";

const POLICIES: { id: Preset; label: string; detail: string }[] = [
  { id: "careful", label: "Careful", detail: "Every change and command asks you" },
  { id: "balanced", label: "Balanced", detail: "What is sensitive or leaves the machine asks you" },
  {
    id: "hands-off",
    label: "Hands off",
    detail: "No tool call asks; questions and budgets still do",
  },
];

const WORKSPACES: { id: WorkspaceMode | "auto"; label: string; detail: string }[] = [
  {
    id: "auto",
    label: "Its own clone or copy",
    detail: "Your folder stays as it is until you apply",
  },
  {
    id: "in-place",
    label: "In the folder itself",
    detail: "Changes happen at once; one run at a time",
  },
];

type Settings = readonly Setting[] | undefined;

export function BackendAndPolicy(props: { backends: readonly BackendView[]; settings: Settings }) {
  const draft = useDraft();
  const chosen = props.backends.find((backend) => backend.name === draft.backend);
  const policy =
    draft.policy ?? (defaultOf(props.settings, "policy") as Preset | null) ?? "balanced";
  return (
    <div className={styles.pair}>
      <Select
        label="Backend"
        options={props.backends.map((backend) => ({
          id: backend.name,
          label: backend.simulated ? `${backend.name} (simulated)` : backend.name,
          ...(backend.model ? { detail: backend.model } : {}),
        }))}
        value={draft.backend || null}
        onChange={(backend) => changeDraft({ backend, model: "" })}
        help={chosen?.simulated ? "A scripted model answers: nothing is real." : undefined}
      />
      <Select
        label="Policy"
        options={POLICIES}
        value={policy}
        onChange={(id) => changeDraft({ policy: id as Preset })}
        help={POLICIES.find(({ id }) => id === policy)?.detail}
      />
    </div>
  );
}

/** The command that must succeed before the run is completed, with guesses from the project. */
export function Verify({ facts }: { facts: ProjectFacts | undefined }) {
  const { verify } = useDraft();
  const guesses = (facts?.verify_guesses ?? []).filter((guess) => guess !== verify);
  return (
    <div className={styles.group}>
      <TextField
        label="Verify command"
        value={verify}
        onChange={(text) => changeDraft({ verify: text })}
        mono
        placeholder="none"
        help="The run is completed only when it succeeds. Its failures go back to the agent."
      />
      {guesses.length > 0 && (
        <div className={styles.guesses}>
          {guesses.map((guess) => (
            <Button key={guess} small look="quiet" onPress={() => changeDraft({ verify: guess })}>
              {`Use ${oneLine(guess, 60)}`}
            </Button>
          ))}
        </div>
      )}
    </div>
  );
}

export function Budget({ settings }: { settings: Settings }) {
  const draft = useDraft();
  const wrong = problems(draft);
  const cost = defaultOf(settings, "max_cost_usd");
  const seconds = defaultOf(settings, "max_duration_s");
  const tokens = defaultOf(settings, "max_tokens");
  const calls = defaultOf(settings, "max_tool_calls");
  const otherwise = (words: string | null) => (words ? `${words} if empty` : undefined);
  return (
    <fieldset className={styles.fieldset}>
      <legend>Budget: at a cap the run waits and asks you</legend>
      <div className={styles.four}>
        <TextField
          label="Cost, USD"
          value={draft.cost}
          onChange={(text) => changeDraft({ cost: text })}
          placeholder={typeof cost === "string" ? cost : ""}
          help={otherwise(typeof cost === "string" ? formatUsd(cost) : null)}
          error={wrong.cost}
        />
        <TextField
          label="Working time, hours"
          value={draft.hours}
          onChange={(text) => changeDraft({ hours: text })}
          placeholder={typeof seconds === "number" ? String(Math.round(seconds / 360) / 10) : ""}
          help={otherwise(typeof seconds === "number" ? duration(seconds * 1000) : null)}
          error={wrong.hours}
        />
        <TextField
          label="Tokens"
          value={draft.tokens}
          onChange={(text) => changeDraft({ tokens: text })}
          placeholder={typeof tokens === "number" ? count(tokens) : ""}
          help={otherwise(typeof tokens === "number" ? count(tokens) : null)}
          error={wrong.tokens}
        />
        <TextField
          label="Tool calls"
          value={draft.toolCalls}
          onChange={(text) => changeDraft({ toolCalls: text })}
          placeholder={typeof calls === "number" ? count(calls) : ""}
          help={otherwise(typeof calls === "number" ? count(calls) : null)}
          error={wrong.toolCalls}
        />
      </div>
    </fieldset>
  );
}

/** What most runs do not need. */
export function More({ backends }: { backends: readonly BackendView[] }) {
  const draft = useDraft();
  const isUsed = Boolean(
    draft.model || draft.workspace || draft.fallback.length || draft.after || draft.priority,
  );
  const [open, setOpen] = useState(isUsed);
  return (
    <section className={styles.more} aria-label="More choices">
      <button
        type="button"
        className={styles.disclose}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <ChevronRight aria-hidden="true" /> More choices
      </button>
      {open && <MoreFields backends={backends} />}
    </section>
  );
}

function MoreFields({ backends }: { backends: readonly BackendView[] }) {
  const draft = useDraft();
  const chosen = backends.find((backend) => backend.name === draft.backend);
  const others = backends.filter((backend) => backend.name !== draft.backend && !backend.simulated);
  return (
    <div className={styles.inside}>
      <div className={styles.pair}>
        <TextField
          label="Model"
          value={draft.model}
          onChange={(model) => changeDraft({ model })}
          placeholder={chosen?.model ?? "the backend's own"}
          mono
        />
        <Select
          label="Where it works"
          options={WORKSPACES}
          value={draft.workspace ?? "auto"}
          onChange={(id) => changeDraft({ workspace: id === "in-place" ? "in-place" : null })}
        />
      </div>
      {draft.workspace === "in-place" && (
        <Notice tone="warn" title="The agent changes your own files">
          Nothing stands between its edits and your folder, and there is nothing to apply or discard
          afterwards.
        </Notice>
      )}
      {others.length > 0 && (
        <fieldset className={styles.fieldset}>
          <legend>May answer instead, when the backend is limited for long (none otherwise)</legend>
          {others.map(({ name }) => (
            <Switch
              key={name}
              label={name}
              on={draft.fallback.includes(name)}
              onChange={(on) =>
                changeDraft({
                  fallback: on
                    ? [...draft.fallback, name]
                    : draft.fallback.filter((other) => other !== name),
                })
              }
            />
          ))}
        </fieldset>
      )}
      <div className={styles.pair}>
        <After />
        <NumberField
          label="Priority"
          value={draft.priority}
          onChange={(priority) => changeDraft({ priority: Number.isNaN(priority) ? 0 : priority })}
          help="Higher starts first. 0 is normal."
        />
      </div>
    </div>
  );
}

const OVER = ["completed", "failed", "cancelled"];
const NOW = "now";

function After() {
  const { after } = useDraft();
  const { data } = useRuns();
  const going = (data?.runs ?? []).filter((run) => !OVER.includes(run.state));
  return (
    <Select
      label="Start"
      options={[
        { id: NOW, label: "As soon as there is a slot" },
        ...going.map((run) => ({
          id: run.id,
          label: `After “${oneLine(run.title, 60)}” is completed`,
        })),
      ]}
      value={going.some((run) => run.id === after) ? after : NOW}
      onChange={(id) => changeDraft({ after: id === NOW ? null : id })}
    />
  );
}
