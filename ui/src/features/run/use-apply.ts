import type { ApplyInto, RunView } from "../../ipc/bindings";
import { useCallMutation } from "../../queries/call";
import { useLink } from "../../queries/link";
import { useWhyNot } from "../../stores/connection";
import { useGo } from "../../stores/navigation";
import { toast, toastError } from "../../stores/toasts";
import type { Wish } from "./apply-parts";
import { appliedWords, conflictWords, whyNotApplied, whyNotInto } from "./apply-words";

export interface Applying {
  /** Why nothing can be applied at all. */
  why: string | undefined;
  /** Why not as this. */
  whyInto: (into: ApplyInto) => string | undefined;
  /** Puts this into the project; all that changed when nothing is named. */
  start: (into: ApplyInto, wish?: Wish) => void;
  pending: boolean;
}

/** Putting a run's result into the user's project, and saying what came of it. */
export function useApply(id: string, view: RunView | undefined): Applying {
  const lost = useWhyNot();
  const go = useGo();
  const { transport } = useLink();
  const about = `apply-${id}`;
  const apply = useCallMutation("apply", {
    onDone: (applied, { as = "branch" }) => {
      const { review } = applied;
      if (review) {
        toast({
          tone: "plain",
          title: "Nothing was applied yet",
          detail: conflictWords(applied),
          action: { label: "Open review", run: () => go({ room: "inbox", review }) },
          lifetimeMs: null,
          about,
        });
        return;
      }
      const { title, detail, command, stays } = appliedWords(applied, as);
      toast({
        tone: "good",
        title,
        detail,
        about,
        lifetimeMs: stays ? null : 12_000,
        ...(command ? { action: { label: command.label, run: () => copy(command.text) } } : {}),
      });
    },
    onError: (error) => toastError("The changes could not be applied", error),
  });
  const why =
    lost ??
    (view ? whyNotApplied(view) : "The run is not read yet") ??
    (apply.isPending ? "It is being applied" : undefined);
  return {
    why,
    whyInto: (into) => why ?? (view && whyNotInto(view, into)),
    start: (into, { paths, hunks } = { paths: [], hunks: [] }) =>
      apply.mutate({
        run: id,
        as: into,
        by: transport.kind === "tauri" ? "desktop" : "browser",
        ...(paths.length > 0 ? { paths: [...paths] } : {}),
        ...(hunks.length > 0 ? { hunks: [...hunks] } : {}),
      }),
    pending: apply.isPending,
  };
}

function copy(text: string): void {
  void navigator.clipboard
    .writeText(text)
    .then(() => toast({ tone: "good", title: "The command is copied", detail: text }));
}
