import { Play, Plug } from "lucide-react";
import { type FormEvent, useEffect, useState } from "react";
import { useAction } from "../../actions/registry";
import { Button } from "../../components/Button";
import { TextField } from "../../components/fields";
import { Loaded } from "../../components/Loaded";
import { Page } from "../../components/Page";
import { EmptyState, Notice } from "../../components/states";
import type { BackendView, Estimate, RunStarted } from "../../ipc/bindings";
import { formatUsd } from "../../lib/money";
import { plural } from "../../lib/numbers";
import { duration } from "../../lib/time";
import { useCall, useCallMutation } from "../../queries/call";
import { PlaceLink, useGo, useSearch } from "../../stores/navigation";
import { toast } from "../../stores/toasts";
import { BackendAndPolicy, Budget, More, Verify } from "./Choices";
import { changeDraft, missing, promptSent, requestOf, useDraft } from "./draft";
import styles from "./NewRunRoom.module.css";
import { Project } from "./Project";

/** What is to be done, where, by whom, within which limits. */
export function NewRunRoom() {
  const backends = useCall("backend_list", {});
  return (
    <Page title="New run" scrolls>
      <Loaded query={backends} what="the backends">
        {(list) =>
          list.backends.length === 0 ? (
            <EmptyState
              icon={<Plug />}
              title="No backend yet"
              action={<PlaceLink to={{ room: "welcome" }}>Add a key or an agent</PlaceLink>}
            >
              A run needs somebody who thinks: a model's API with your key, or an agent on this
              machine.
            </EmptyState>
          ) : (
            <Form backends={list.backends} />
          )
        }
      </Loaded>
    </Page>
  );
}

/** Fills in what is obvious: the only backend, what an address names. */
function useObvious(backends: readonly BackendView[]): void {
  const [search] = useSearch();
  const { backend } = useDraft();
  const { project, backend: wanted, prompt } = search;
  useEffect(() => {
    if (project) changeDraft({ project });
    if (prompt) changeDraft({ prompt });
    if (wanted) changeDraft({ backend: wanted });
  }, [project, prompt, wanted]);
  useEffect(() => {
    if (backends.some(({ name }) => name === backend)) return;
    const first = backends.find(({ simulated }) => !simulated) ?? backends[0];
    changeDraft({ backend: first?.name ?? "" });
  }, [backends, backend]);
}

/** What was typed, once the typing pauses: half a path is not worth asking about. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 300);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

function useStart() {
  const go = useGo();
  return useCallMutation("start_run", {
    onDone: ({ id, notes }: RunStarted) => {
      promptSent();
      toast({ tone: "good", title: "The run is started", detail: notes.join(" ") || undefined });
      go({ room: "run", run: id });
    },
  });
}

function Form({ backends }: { backends: readonly BackendView[] }) {
  useObvious(backends);
  const draft = useDraft();
  const path = useSettled(draft.project.trim());
  const facts = useCall("project", { path }, { enabled: path !== "" }).data;
  const settings = useCall("settings", {}).data?.settings;
  const start = useStart();
  const why = missing(draft, backends.length);
  const send = () => {
    if (!why && !start.isPending) start.mutate(requestOf(draft));
  };
  useAction("new.start", { run: send, enabled: why ?? true });
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    send();
  };
  return (
    <form className={styles.form} onSubmit={onSubmit} aria-label="New run">
      <Project facts={facts} />
      <TextField
        label="What is to be done"
        rows={9}
        value={draft.prompt}
        onChange={(prompt) => changeDraft({ prompt })}
        placeholder="Say what the result is, how it can be told that it is right, and what must not change."
      />
      <BackendAndPolicy backends={backends} settings={settings} />
      <Verify facts={facts} />
      <Budget settings={settings} />
      <More backends={backends} />
      {start.error && (
        <Notice tone="bad" title={start.error.message}>
          {start.error.hint}
        </Notice>
      )}
      <div className={styles.start}>
        <Button
          type="submit"
          look="primary"
          icon={<Play />}
          keys="mod+enter"
          isDisabled={Boolean(why) || start.isPending}
        >
          {start.isPending ? "Starting…" : "Start the run"}
        </Button>
        <p className={styles.soft}>{why ?? <Expected estimate={facts?.estimate ?? null} />}</p>
      </div>
    </form>
  );
}

function Expected({ estimate }: { estimate: Estimate | null }) {
  if (!estimate) return <>No run of this project yet: nothing to estimate from.</>;
  return (
    <>
      Earlier runs here took about <strong>{formatUsd(estimate.cost_usd)}</strong> and{" "}
      <strong>{duration(estimate.duration_s * 1000)}</strong> of work (median of{" "}
      {plural(estimate.runs, "run")}).
    </>
  );
}
