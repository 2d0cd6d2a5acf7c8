import { type FormEvent, useState } from "react";
import { Button } from "../../components/Button";
import { Select, Switch, TextField } from "../../components/fields";
import { NO_SECRET, type SecretDraft, SecretFields } from "../../components/SecretFields";
import { Notice } from "../../components/states";
import type { BackendTest, ProbeRequest } from "../../ipc/bindings";
import type { CallError } from "../../ipc/errors";
import { useCall, useCallMutation } from "../../queries/call";
import { sourceOf } from "../../queries/secret-words";
import styles from "./backends.module.css";
import { freeName, KEY_EXAMPLES, PROVIDERS, type Provider } from "./kinds";
import { Tried } from "./Tried";

interface Draft {
  provider: Provider;
  /** Null: the suggested one. */
  name: string | null;
  model: string;
  address: string;
  free: boolean;
  key: SecretDraft;
}

const draftFor = (provider: Provider): Draft => ({
  provider,
  name: null,
  model: provider.model,
  address: provider.address ?? "",
  free: Boolean(provider.keyless),
  key: NO_SECRET,
});

/** What keeps the form from being sent, in words. */
function missing(draft: Draft): string | null {
  const key = draft.key.text.trim();
  if (!key && !draft.provider.keyless) return "Paste a key first";
  if (draft.provider.address && !draft.address.trim()) return "Its address is missing";
  if (draft.provider.address && !draft.model.trim()) return "Name a model: each server has others";
  return null;
}

function keyHint({ key, provider }: Draft): string | null {
  const text = key.text.trim();
  if (key.from !== "keychain" || !provider.prefix || text.length < 4) return null;
  if (text.startsWith(provider.prefix)) return null;
  return `Keys of ${provider.label} begin with ${provider.prefix}. It is tried as it is.`;
}

/** The first backend of a provider without anything to look up but the key. */
const [FIRST] = PROVIDERS as [Provider, ...Provider[]];

/** Asks for a key, tries it against the API, and keeps it only then. */
export function AddKey({ onAdded }: { onAdded: (name: string) => void }) {
  const [draft, setDraft] = useState(() => draftFor(FIRST));
  const [tried, setTried] = useState<BackendTest | null>(null);
  const [failed, setFailed] = useState<CallError | null>(null);
  const { data: known } = useCall("backend_list", {});
  const taken = known?.backends.map((backend) => backend.name) ?? [];
  const name = draft.name ?? freeName(draft.provider.name, taken);
  const change = (part: Partial<Draft>) => {
    setDraft((before) => ({ ...before, ...part }));
    setTried(null);
    setFailed(null);
  };

  const asked = (): ProbeRequest => ({
    kind: draft.provider.kind,
    base_url: draft.provider.address ? draft.address.trim() : null,
    model: draft.model.trim() || null,
    key: sourceOf(draft.key),
  });
  const add = useCallMutation("backend_add", {
    onDone: (backend) => {
      setDraft(draftFor(draft.provider));
      onAdded(backend.name);
    },
    onError: setFailed,
  });
  const keep = () => add.mutate({ ...asked(), name: name.trim(), free: draft.free });
  const probe = useCallMutation("probe", {
    onDone: (result) => {
      setTried(result);
      if (result.ok) keep();
    },
    onError: setFailed,
  });

  const why = missing(draft);
  const busy = probe.isPending || add.isPending;
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (!why && !busy) probe.mutate(asked());
  };

  return (
    <form className={styles.form} onSubmit={send} aria-label="Add a key">
      <Select
        label="Provider"
        options={PROVIDERS}
        value={draft.provider.id}
        onChange={(id) => {
          const provider = PROVIDERS.find((p) => p.id === id) ?? FIRST;
          setDraft(draftFor(provider));
          setTried(null);
          setFailed(null);
        }}
      />
      {draft.provider.address && (
        <TextField
          label="Address"
          value={draft.address}
          onChange={(address) => change({ address })}
          help="Up to and including /v1."
          mono
        />
      )}
      <SecretFields
        name="key"
        examples={KEY_EXAMPLES}
        draft={draft.key}
        onChange={(key) => change({ key })}
        hint={keyHint(draft)}
        optional={draft.provider.keyless ? "if it wants one" : false}
      />
      <div className={styles.pair}>
        <TextField
          label="Model"
          value={draft.model}
          onChange={(model) => change({ model })}
          help="Asked for unless a run names another."
          mono
        />
        <TextField
          label="Name"
          value={name}
          onChange={(text) => change({ name: text })}
          help="What you call it here."
        />
      </div>
      {draft.provider.address && (
        <Switch
          label="Its calls cost nothing"
          on={draft.free}
          onChange={(free) => change({ free })}
          help="For a model on this machine. Otherwise unknown prices are shown as unknown."
        />
      )}
      {tried && <Tried test={tried} />}
      {failed && (
        <Notice tone="bad" title={failed.message}>
          {failed.hint}
        </Notice>
      )}
      <div className={styles.buttons}>
        <Button
          type="submit"
          look="primary"
          {...(why ? { why } : {})}
          isDisabled={Boolean(why) || busy}
        >
          {probe.isPending ? "Trying it…" : add.isPending ? "Keeping it…" : "Test and add"}
        </Button>
        {tried && !tried.ok && (
          <Button look="quiet" onPress={keep} isDisabled={busy}>
            Add it all the same
          </Button>
        )}
      </div>
    </form>
  );
}
