import { ArrowRight, FlaskConical, KeyRound, Plug } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import { Button } from "../../components/Button";
import { cx } from "../../components/cx";
import { Page } from "../../components/Page";
import { Notice } from "../../components/states";
import { plural } from "../../lib/numbers";
import { useCall, useCallMutation } from "../../queries/call";
import { useGo } from "../../stores/navigation";
import { toast, toastError } from "../../stores/toasts";
import styles from "./WelcomeRoom.module.css";

/** What adding a backend looks like, given by the app: rooms do not know each other. */
export interface WelcomeProps {
  addKey: (onAdded: (name: string) => void) => ReactNode;
  agents: (onAdded: (name: string) => void) => ReactNode;
  /** The offer to let the system start the daemon. */
  atLogin: ReactNode;
}

type Way = "key" | "agent" | "rehearsal";

/** Three ways in. Each ends with a run one can look at. */
export function WelcomeRoom(props: WelcomeProps) {
  const [way, setWay] = useState<Way | null>(null);
  const { data } = useCall("backend_list", {});
  const go = useGo();
  const real = (data?.backends ?? []).filter((backend) => !backend.simulated);
  const added = (name: string) => {
    toast({ tone: "good", title: `${name} is ready`, detail: "Now say what is to be done." });
    go({ room: "new", search: { backend: name } });
  };
  return (
    <Page title="Welcome" scrolls>
      <div className={styles.room}>
        <p className={styles.lead}>
          Longhaul lets AI agents work for hours and days. Every step is written down before it
          happens, so that a crash, a reboot or a closed window loses nothing, nothing is done
          twice, and what matters waits for you.
        </p>
        {real.length > 0 && (
          <Notice
            tone="good"
            title={`${plural(real.length, "backend")} can be used: ${real.map((b) => b.name).join(", ")}`}
            action={
              <Button look="primary" icon={<ArrowRight />} onPress={() => go({ room: "new" })}>
                Start a run
              </Button>
            }
          />
        )}
        <ul className={styles.ways} aria-label="Ways to begin">
          <WayCard
            icon={<KeyRound />}
            title="Add a key"
            words="A model's API, paid by use. Longhaul runs the loop itself and knows the price of every call."
            open={way === "key"}
            onOpen={() => setWay(way === "key" ? null : "key")}
          >
            {props.addKey(added)}
          </WayCard>
          <WayCard
            icon={<Plug />}
            title="Use an agent you have"
            words="An agent on this machine with its own login. Longhaul supervises it and brings it back."
            open={way === "agent"}
            onOpen={() => setWay(way === "agent" ? null : "agent")}
          >
            {props.agents(added)}
          </WayCard>
          <WayCard
            icon={<FlaskConical />}
            title="Try the rehearsal"
            words="No key, no network, about a minute: a scripted model on a sample project. Labelled as simulated throughout."
            open={way === "rehearsal"}
            onOpen={() => setWay(way === "rehearsal" ? null : "rehearsal")}
          >
            <Rehearsal />
          </WayCard>
        </ul>
        {props.atLogin}
      </div>
    </Page>
  );
}

function WayCard(props: {
  icon: ReactNode;
  title: string;
  words: string;
  open: boolean;
  onOpen: () => void;
  children: ReactNode;
}) {
  const words = useId();
  return (
    <li className={cx(styles.way, props.open && styles.open)}>
      <h2>
        <button
          type="button"
          className={styles.head}
          aria-expanded={props.open}
          aria-describedby={words}
          onClick={props.onOpen}
        >
          {props.icon}
          {props.title}
        </button>
      </h2>
      <p id={words} className={styles.words}>
        {props.words}
      </p>
      {props.open && <div className={styles.inside}>{props.children}</div>}
    </li>
  );
}

function Rehearsal() {
  const go = useGo();
  const start = useCallMutation("rehearsal", {
    onDone: ({ run, project }) => {
      toast({ tone: "good", title: "The rehearsal has begun", detail: `It works in ${project}.` });
      go({ room: "run", run });
    },
    onError: (error) => toastError("The rehearsal could not be started", error),
  });
  return (
    <div className={styles.rehearsal}>
      <p>
        A real run with everything but a real model: it edits files of a sample project inside
        Longhaul's own folder, runs its tests, asks you once, and shows its cost as $0.00. Kill the
        daemon in the middle if you like; it goes on where it was.
      </p>
      <div>
        <Button look="primary" isDisabled={start.isPending} onPress={() => start.mutate({})}>
          {start.isPending ? "Preparing the sample project…" : "Start the rehearsal"}
        </Button>
      </div>
    </div>
  );
}
