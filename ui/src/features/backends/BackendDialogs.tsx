import { useState } from "react";
import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Switch, TextField } from "../../components/fields";
import { NO_SECRET, type SecretDraft, SecretFields } from "../../components/SecretFields";
import { Notice } from "../../components/states";
import type { BackendTest, BackendView } from "../../ipc/bindings";
import { useCallMutation } from "../../queries/call";
import { sourceOf } from "../../queries/secret-words";
import { toast } from "../../stores/toasts";
import styles from "./backends.module.css";
import { KEY_EXAMPLES } from "./kinds";
import { Tried } from "./Tried";

interface DialogProps {
  backend: BackendView;
  open: boolean;
  onClose: () => void;
}

/** Another key. It is tried first; runs that wait for it go on by themselves. */
export function KeyDialog(props: DialogProps) {
  return (
    <Dialog title={`Key of ${props.backend.name}`} open={props.open} onClose={props.onClose}>
      <KeyForm {...props} />
    </Dialog>
  );
}

function KeyForm({ backend, onClose }: DialogProps) {
  const [draft, setDraft] = useState<SecretDraft>(NO_SECRET);
  const [tried, setTried] = useState<BackendTest | null>(null);
  const key = sourceOf(draft);
  const replace = useCallMutation("backend_key", {
    onDone: () => {
      onClose();
      toast({
        tone: "good",
        title: `${backend.name} has its new key`,
        detail: "Runs that wait for it go on by themselves.",
      });
    },
  });
  const keep = () => replace.mutate({ name: backend.name, key });
  const probe = useCallMutation("probe", {
    onDone: (result) => {
      setTried(result);
      if (result.ok) keep();
    },
  });
  const failed = probe.error ?? replace.error;
  const busy = probe.isPending || replace.isPending;
  return (
    <form
      className={styles.form}
      aria-label="Replace the key"
      onSubmit={(event) => {
        event.preventDefault();
        const { kind, base_url, model } = backend;
        if (key && !busy) probe.mutate({ kind, base_url, model, key });
      }}
    >
      <SecretFields
        name="key"
        examples={KEY_EXAMPLES}
        draft={draft}
        autoFocus
        onChange={(now) => {
          setDraft(now);
          setTried(null);
        }}
      />
      {tried && <Tried test={tried} />}
      {failed && (
        <Notice tone="bad" title={failed.message}>
          {failed.hint}
        </Notice>
      )}
      <div className={styles.buttons}>
        <Button type="submit" look="primary" isDisabled={!key || busy}>
          {busy ? "Trying it…" : "Test and replace"}
        </Button>
        {tried && !tried.ok && (
          <Button look="quiet" onPress={keep} isDisabled={busy}>
            Keep it all the same
          </Button>
        )}
      </div>
    </form>
  );
}

/** What may be changed without adding it anew. */
export function ChangeDialog(props: DialogProps) {
  return (
    <Dialog title={`Change ${props.backend.name}`} open={props.open} onClose={props.onClose}>
      <ChangeForm {...props} />
    </Dialog>
  );
}

function ChangeForm({ backend, onClose }: DialogProps) {
  const [model, setModel] = useState(backend.model ?? "");
  const [address, setAddress] = useState(backend.base_url ?? "");
  const [free, setFree] = useState(backend.free);
  const change = useCallMutation("backend_change", {
    onDone: () => {
      onClose();
      toast({
        tone: "good",
        title: `${backend.name} is changed`,
        detail: "For calls from now on.",
      });
    },
  });
  return (
    <form
      className={styles.form}
      aria-label={`Change ${backend.name}`}
      onSubmit={(event) => {
        event.preventDefault();
        change.mutate({
          name: backend.name,
          ...(model.trim() ? { model: model.trim() } : {}),
          ...(address.trim() ? { base_url: address.trim() } : {}),
          free,
        });
      }}
    >
      <TextField
        label="Model"
        value={model}
        onChange={setModel}
        help="Asked for unless a run names another."
        mono
        autoFocus
      />
      {backend.kind === "openai" && (
        <TextField label="Address" value={address} onChange={setAddress} mono />
      )}
      <Switch
        label="Its calls cost nothing"
        on={free}
        onChange={setFree}
        help="For a model on this machine. A call that does cost something would be shown as free."
      />
      {change.error && (
        <Notice tone="bad" title={change.error.message}>
          {change.error.hint}
        </Notice>
      )}
      <div className={styles.buttons}>
        <Button type="submit" look="primary" isDisabled={change.isPending}>
          Change
        </Button>
      </div>
    </form>
  );
}
