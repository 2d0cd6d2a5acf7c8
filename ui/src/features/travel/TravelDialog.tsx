import { useState } from "react";
import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { TextField } from "../../components/fields";
import { ErrorState, Notice, Skeleton } from "../../components/states";
import { plural } from "../../lib/numbers";
import { useCall } from "../../queries/call";
import { useWhyNot } from "../../stores/connection";
import { closeTravel, type Travel, type TravelHow, useTravel } from "../../stores/travel";
import { Preview } from "./Preview";
import styles from "./Travel.module.css";
import { type Travelling, useTravelling } from "./use-travelling";

const TITLES: Record<TravelHow, (checkpoint: string) => string> = {
  resume: (checkpoint) => `Resume from ${checkpoint}?`,
  fork: (checkpoint) => `Fork from ${checkpoint}`,
  rollback: (checkpoint) => `Roll back to ${checkpoint}?`,
};

const DOES: Record<TravelHow, string> = {
  resume: "Go back and resume",
  fork: "Fork",
  rollback: "Roll back",
};

/** Says what going back or forking means, before anything is touched. Stands once, in the frame. */
export function TravelDialog() {
  const travel = useTravel((s) => s.travel);
  // Here and not in the dialog: what was begun ends, and can be undone, when that is gone.
  const travelling = useTravelling();
  if (!travel) return null;
  return travel.checkpoint === null ? (
    <FromNewest travel={travel} travelling={travelling} />
  ) : (
    <Asking
      key={`${travel.run} ${travel.checkpoint}`}
      travel={travel}
      checkpoint={travel.checkpoint}
      travelling={travelling}
    />
  );
}

/** The list of runs does not know their checkpoints: the newest that counts is looked up. */
function FromNewest({ travel, travelling }: { travel: Travel; travelling: Travelling }) {
  const view = useCall("show", { run: travel.run, ops: "all" });
  const newest = view.data?.checkpoints.findLast((checkpoint) => !checkpoint.undone);
  if (newest) return <Asking travel={travel} checkpoint={newest.id} travelling={travelling} />;
  return (
    <Dialog title={TITLES[travel.how]("its newest checkpoint")} open onClose={closeTravel}>
      {view.error ? (
        <ErrorState
          title="Could not read its checkpoints"
          error={view.error}
          onRetry={() => void view.refetch()}
        />
      ) : view.data ? (
        <p>It has no checkpoint yet: the first is taken after its first step.</p>
      ) : (
        <Skeleton lines={3} label="Reading its checkpoints…" />
      )}
    </Dialog>
  );
}

function Asking(props: { travel: Travel; checkpoint: string; travelling: Travelling }) {
  const { checkpoint } = props;
  const { run, how } = props.travel;
  const { go, busy } = props.travelling;
  const why = useWhyNot();
  const [message, setMessage] = useState("");
  const preview = useCall("consequences", { run, to: checkpoint });
  const confirm = () => {
    go({ run, checkpoint, how, message: message.trim() });
    closeTravel();
  };
  return (
    <Dialog
      title={TITLES[how](checkpoint)}
      open
      wide
      alert={how !== "fork"}
      onClose={closeTravel}
      footer={
        <>
          <Button onPress={closeTravel}>Cancel</Button>
          <Button
            look={how === "fork" ? "primary" : "danger"}
            why={why}
            // Nobody agrees to what they could not read.
            isDisabled={Boolean(why) || busy || !preview.data}
            onPress={confirm}
          >
            {DOES[how]}
          </Button>
        </>
      }
    >
      {preview.data ? (
        <div className={styles.preview}>
          <Intro how={how} steps={preview.data.steps_undone} step={preview.data.step} />
          {how === "fork" && (
            <TextField
              label="Said to the agent before it goes on (optional)"
              rows={3}
              value={message}
              onChange={setMessage}
            />
          )}
          <Preview of={preview.data} isFork={how === "fork"} />
        </div>
      ) : preview.error ? (
        <Notice tone="bad" title={preview.error.message}>
          {preview.error.hint}
        </Notice>
      ) : (
        <Skeleton lines={5} label="Looking at what it would do…" />
      )}
    </Dialog>
  );
}

function Intro({ how, steps, step }: { how: TravelHow; steps: number; step: number }) {
  const where = step === 0 ? "before its first step" : `after step ${step}`;
  if (how === "fork") {
    return (
      <p>
        A new run begins with the conversation and the files as they were {where}. This one stays as
        it is.
      </p>
    );
  }
  return (
    <p>
      Conversation and files go back to where they were {where}.{" "}
      {steps > 0 &&
        `${plural(steps, "step")} no longer ${steps === 1 ? "counts" : "count"}; in the timeline ${steps === 1 ? "it stays" : "they stay"}, marked as undone. `}
      {how === "resume" ? "Then the run goes on from there." : "Then the run is paused."} Where it
      is now is kept as a checkpoint.
    </p>
  );
}
