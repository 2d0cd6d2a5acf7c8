import { KeyRound, Plug, Plus } from "lucide-react";
import { useState } from "react";
import { runAction, useAction } from "../../actions/registry";
import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { EmptyState } from "../../components/states";
import { Tabs } from "../../components/Tabs";
import { useCall } from "../../queries/call";
import { toast } from "../../stores/toasts";
import { AddKey } from "./AddKey";
import { BackendCard } from "./BackendCard";
import styles from "./backends.module.css";
import { FoundAgents } from "./FoundAgents";

/** All backends: added, tried, given another key, removed. */
export function BackendsPanel() {
  const backends = useCall("backend_list", {});
  const [adding, setAdding] = useState(false);
  useAction("settings.add-backend", () => setAdding(true));
  return (
    <Section
      title="Backends and keys"
      actions={
        <Button icon={<Plus />} onPress={() => runAction("settings.add-backend")}>
          Add a backend
        </Button>
      }
    >
      <Loaded query={backends} what="the backends">
        {(list) =>
          list.backends.length === 0 ? (
            <EmptyState icon={<Plug />} title="No backend yet">
              A backend is where the thinking comes from: a model's API with your key, or an agent
              on this machine with its own login.
            </EmptyState>
          ) : (
            <ul className={styles.cards} aria-label="Backends">
              {list.backends.map((backend) => (
                <BackendCard key={backend.name} backend={backend} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <AddBackend open={adding} onClose={() => setAdding(false)} />
    </Section>
  );
}

function AddBackend({ open, onClose }: { open: boolean; onClose: () => void }) {
  const [tab, setTab] = useState("key");
  const added = (name: string) => {
    onClose();
    toast({ tone: "good", title: `${name} is ready`, detail: "New runs can use it now." });
  };
  return (
    <Dialog title="Add a backend" open={open} onClose={onClose} wide>
      <div className={styles.adding}>
        <Tabs
          label="What to add"
          chosen={tab}
          onChoose={setTab}
          tabs={[
            {
              id: "key",
              label: (
                <>
                  <KeyRound size={16} aria-hidden="true" /> A model with a key
                </>
              ),
              content: <AddKey onAdded={added} />,
            },
            {
              id: "agent",
              label: (
                <>
                  <Plug size={16} aria-hidden="true" /> An agent you have
                </>
              ),
              content: <FoundAgents onAdded={added} />,
            },
          ]}
        />
      </div>
    </Dialog>
  );
}
