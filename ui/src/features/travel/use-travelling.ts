import type { RolledBack } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { useCallMutation } from "../../queries/call";
import { useGo } from "../../stores/navigation";
import { toast, toastError } from "../../stores/toasts";
import type { TravelHow } from "../../stores/travel";

export interface Departure {
  run: string;
  checkpoint: string;
  how: TravelHow;
  /** Said to a fork's agent; empty for nothing. */
  message: string;
}

/** How long a rollback offers to be taken back: it is read first. */
const UNDO_MS = 30_000;

const filesWords = ({ consequences }: RolledBack): string =>
  `${plural(consequences.files_changed, "file")} went back, ${plural(consequences.steps_undone, "step")} undone.`;

export interface Travelling {
  go: (departure: Departure) => void;
  busy: boolean;
}

/** Goes back or forks, and says how to take that back. */
export function useTravelling(): Travelling {
  const goTo = useGo();
  const back = useCallMutation("rollback", {
    onDone: (done) =>
      toast({
        tone: "good",
        title: "As it was before the rollback",
        about: `rollback-${done.id}`,
      }),
    onError: (error) => toastError("The rollback could not be undone", error),
  });
  const rollback = useCallMutation("rollback", {
    onDone: (done) =>
      toast({
        tone: "good",
        title: `Rolled back to ${done.checkpoint}`,
        detail: filesWords(done),
        about: `rollback-${done.id}`,
        action: { label: "Undo", run: () => back.mutate({ run: done.id, to: done.undo }) },
        lifetimeMs: UNDO_MS,
      }),
    onError: (error) => toastError("The run did not go back", error),
  });
  const resume = useCallMutation("resume_from", {
    onDone: (done) =>
      toast({
        tone: "good",
        title: `Goes on from ${done.checkpoint}`,
        detail: `${filesWords(done)} ${done.undo} has everything as it was.`,
        about: `rollback-${done.id}`,
      }),
    onError: (error) => toastError("The run did not go back", error),
  });
  const fork = useCallMutation("fork", {
    onDone: ({ id, checkpoint }) => {
      toast({ tone: "good", title: `Forked from ${checkpoint}` });
      goTo({ room: "run", run: id });
    },
    onError: (error) => toastError("The fork could not be made", error),
  });
  const go = ({ run, checkpoint, how, message }: Departure) => {
    if (how === "fork") fork.mutate({ run, from: checkpoint, message: message || null });
    else if (how === "resume") resume.mutate({ run, from: checkpoint });
    else rollback.mutate({ run, to: checkpoint });
  };
  return {
    go,
    busy: back.isPending || rollback.isPending || resume.isPending || fork.isPending,
  };
}
