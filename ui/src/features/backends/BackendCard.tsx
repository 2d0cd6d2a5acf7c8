import { Ellipsis, FlaskConical, KeyRound, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { Badge } from "../../components/Badge";
import { Button, IconButton } from "../../components/Button";
import { ConfirmDialog } from "../../components/Dialog";
import { RelativeTime } from "../../components/figures";
import { Menu } from "../../components/Menu";
import { Notice } from "../../components/states";
import type { BackendTest, BackendView } from "../../ipc/bindings";
import { oneLine } from "../../lib/plain";
import { useCallMutation } from "../../queries/call";
import { toast, toastError } from "../../stores/toasts";
import { ChangeDialog, KeyDialog } from "./BackendDialogs";
import styles from "./backends.module.css";
import { KIND_WORDS, keyWords } from "./kinds";
import { Promises } from "./Promises";
import { Tried } from "./Tried";

const NATIVE = ["anthropic", "openai"];

export function BackendCard({ backend }: { backend: BackendView }) {
  const [dialog, setDialog] = useState<"key" | "change" | "remove" | null>(null);
  const [tried, setTried] = useState<BackendTest | null>(null);
  const close = () => setDialog(null);
  const test = useCallMutation("backend_test", {
    onDone: setTried,
    onError: (error) => toastError(`${backend.name} could not be tried`, error),
  });
  const remove = useCallMutation("backend_remove", {
    onDone: () => toast({ tone: "plain", title: `${backend.name} is removed` }),
    onError: (error) => toastError(`${backend.name} could not be removed`, error),
  });
  const native = NATIVE.includes(backend.kind);
  return (
    <li className={styles.card} aria-label={backend.name}>
      <div className={styles.cardHead}>
        <div className={styles.grow}>
          <h3 className={styles.name}>
            {backend.name}
            {backend.simulated && <Badge title="A scripted model answers">Simulated</Badge>}
            {backend.free && !backend.simulated && <Badge>Costs nothing</Badge>}
          </h3>
          <p className={styles.soft}>
            {KIND_WORDS[backend.kind]}
            {backend.model && ` · ${backend.model}`}
            {backend.base_url && ` · ${oneLine(backend.base_url, 60)}`}
            {backend.command && ` · ${oneLine(backend.command, 60)}`}
          </p>
          <p className={styles.soft}>
            {keyWords(backend.key)}
            {backend.added_at && (
              <>
                {" · added "}
                <RelativeTime at={backend.added_at} />
              </>
            )}
          </p>
        </div>
        <Button
          small
          icon={<FlaskConical />}
          isDisabled={test.isPending}
          aria-label={`Test ${backend.name}`}
          onPress={() => test.mutate({ name: backend.name })}
        >
          {test.isPending ? "Trying…" : "Test"}
        </Button>
        <Menu
          label={`More for ${backend.name}`}
          trigger={<IconButton label={`More for ${backend.name}`} icon={<Ellipsis />} />}
          entries={[
            ...(native
              ? [
                  {
                    id: "key",
                    label: backend.key.from === "none" ? "Give it a key…" : "Replace the key…",
                    icon: <KeyRound />,
                    run: () => setDialog("key"),
                  },
                ]
              : []),
            {
              id: "change",
              label: "Change…",
              icon: <Pencil />,
              run: () => setDialog("change"),
            },
            null,
            {
              id: "remove",
              label: "Remove…",
              icon: <Trash2 />,
              danger: true,
              run: () => setDialog("remove"),
            },
          ]}
        />
      </div>
      {tried && <Tried test={tried} />}
      <Promises promises={backend.promises ?? []} />
      <KeyDialog backend={backend} open={dialog === "key"} onClose={close} />
      <ChangeDialog backend={backend} open={dialog === "change"} onClose={close} />
      <ConfirmDialog
        title={`Remove ${backend.name}?`}
        open={dialog === "remove"}
        onClose={close}
        onConfirm={() => remove.mutate({ name: backend.name })}
        confirm="Remove"
        danger
      >
        <Notice tone="warn">
          Longhaul forgets it and its key. Runs that are not over and use it cannot go on until
          there is a backend of this name again.
        </Notice>
      </ConfirmDialog>
    </li>
  );
}
