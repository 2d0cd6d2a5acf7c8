import { useState } from "react";
import type { RunSummary } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { useCallMutation } from "../../queries/call";
import { canCancel, canPause, canResume } from "../../queries/run-words";
import { toast, toastError } from "../../stores/toasts";

export interface Steering {
  resume: () => void;
  pause: () => void;
  askToCancel: () => void;
  /** The runs that will be cancelled once confirmed. */
  cancelling: readonly RunSummary[];
  cancel: () => void;
  dontCancel: () => void;
}

/** Steers the runs that are meant, one by one; each that fails is named. */
export function useSteering(meant: readonly RunSummary[], onDone: () => void): Steering {
  const resume = useCallMutation("resume");
  const pause = useCallMutation("pause");
  const cancel = useCallMutation("cancel");
  const [cancelling, setCancelling] = useState<readonly RunSummary[]>([]);

  const each = async (
    runs: readonly RunSummary[],
    done: string,
    act: (id: string) => Promise<unknown>,
  ) => {
    const results = await Promise.allSettled(runs.map((run) => act(run.id)));
    let worked = 0;
    results.forEach((result, i) => {
      if (result.status === "fulfilled") worked++;
      else
        toastError(`“${runs[i]?.title ?? ""}” could not be ${done.toLowerCase()}`, result.reason);
    });
    if (worked > 0) toast({ tone: "good", title: `${done} ${plural(worked, "run")}` });
    onDone();
  };

  return {
    resume: () =>
      void each(
        meant.filter((run) => canResume(run.state)),
        "Resumed",
        (id) => resume.mutateAsync({ runs: { one: id } }),
      ),
    pause: () =>
      void each(
        meant.filter((run) => canPause(run.state)),
        "Paused",
        (id) => pause.mutateAsync({ runs: { one: id } }),
      ),
    askToCancel: () => setCancelling(meant.filter((run) => canCancel(run.state))),
    cancelling,
    cancel: () => {
      void each(cancelling, "Cancelled", (id) => cancel.mutateAsync({ run: id }));
      setCancelling([]);
    },
    dontCancel: () => setCancelling([]),
  };
}
