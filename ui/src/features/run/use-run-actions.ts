import { useState } from "react";
import { useAction } from "../../actions/registry";
import type { RunView } from "../../ipc/bindings";
import type { RunTab } from "../../lib/places";
import { oneLine } from "../../lib/plain";
import { useCallMutation } from "../../queries/call";
import { useNative } from "../../queries/link";
import { canCancel, canPause, canResume, isEnded } from "../../queries/run-words";
import { useWhyNot } from "../../stores/connection";
import { useGo } from "../../stores/navigation";
import { toast, toastError } from "../../stores/toasts";
import { type Applying, useApply } from "./use-apply";

export type Confirming = "cancel" | "discard" | null;

export interface RunActions {
  /** Why an action cannot be done; undefined when it can. */
  why: Record<"resume" | "pause" | "cancel" | "discard", string | undefined>;
  resume: () => void;
  pause: () => void;
  cancel: () => void;
  apply: Applying;
  discard: () => void;
  confirming: Confirming;
  confirm: (what: Confirming) => void;
  /** Something is on its way to the daemon. */
  busy: boolean;
}

/** Everything that can be done to a run: buttons, keys and palette share it. */
export function useRunActions(id: string, view: RunView | undefined): RunActions {
  const why = useWhys(view);
  const [confirming, confirm] = useState<Confirming>(null);
  const one = { runs: { one: id } };
  const resume = useCallMutation("resume", {
    onDone: () => toast({ tone: "good", title: "Resumed", about: id }),
    onError: (error) => toastError("The run could not be resumed", error),
  });
  const pause = useCallMutation("pause", {
    onDone: () =>
      toast({
        tone: "good",
        title: "Paused",
        detail: "It stops at its next operation boundary.",
        about: id,
      }),
    onError: (error) => toastError("The run could not be paused", error),
  });
  const cancel = useCallMutation("cancel", {
    onDone: () =>
      toast({ tone: "good", title: "Cancelled", detail: "Its workspace stays until discarded." }),
    onError: (error) => toastError("The run could not be cancelled", error),
  });
  const apply = useApply(id, view);
  const discard = useCallMutation("discard", {
    onDone: () => toast({ tone: "good", title: "The workspace is discarded" }),
    onError: (error) => toastError("The workspace could not be discarded", error),
  });
  const actions: RunActions = {
    why,
    resume: () => resume.mutate(one),
    pause: () => pause.mutate(one),
    cancel: () => cancel.mutate({ run: id }),
    apply,
    discard: () => discard.mutate({ run: id }),
    confirming,
    confirm,
    busy:
      resume.isPending || pause.isPending || cancel.isPending || apply.pending || discard.isPending,
  };
  useKeys(id, view, actions);
  return actions;
}

function useWhys(view: RunView | undefined): RunActions["why"] {
  const lost = useWhyNot();
  const unread = view ? undefined : "The run is not read yet";
  const first = lost ?? unread;
  const state = view?.state ?? "queued";
  const gone = view?.workspace.discarded ? "Its workspace is discarded" : undefined;
  return {
    resume: first ?? (canResume(state) ? undefined : `It is ${state}`),
    pause: first ?? (canPause(state) ? undefined : `It is ${state}`),
    cancel: first ?? (canCancel(state) ? undefined : `It is ${state} already`),
    discard:
      first ?? gone ?? (isEnded(state) ? undefined : "Its files are needed until it is over"),
  };
}

function useKeys(id: string, view: RunView | undefined, actions: RunActions): void {
  const go = useGo();
  const { why } = actions;
  const title = view ? ` “${oneLine(view.title, 50)}”` : "";
  const ready = (reason: string | undefined) => reason ?? true;
  const show = (tab: RunTab) => () => go({ room: "run", run: id, tab }, { replace: true });
  useAction("run.timeline", show("timeline"));
  useAction("run.changes", show("changes"));
  useAction("run.trace", show("trace"));
  useAction("run.cost", show("cost"));
  useAction("run.details", show("details"));
  useAction("run.resume", {
    run: actions.resume,
    enabled: ready(why.resume),
    title: `Resume${title}`,
  });
  useAction("run.pause", { run: actions.pause, enabled: ready(why.pause), title: `Pause${title}` });
  useAction("run.cancel", {
    run: () => actions.confirm("cancel"),
    enabled: ready(why.cancel),
    title: `Cancel${title}…`,
  });
  useAction("run.apply", {
    run: () => actions.apply.start("branch"),
    enabled: ready(actions.apply.whyInto("branch")),
  });
  useAction("run.discard", {
    run: () => actions.confirm("discard"),
    enabled: ready(why.discard),
  });
  const review = view?.reviews.find((r) => r.state === "open");
  useAction("run.inbox", review ? () => go({ room: "inbox", review: review.id }) : null);
  const folder = useFolder(id, view);
  useAction("run.open-folder", folder && { run: folder.open, enabled: ready(folder.why) });
  useAction("run.copy-id", () => {
    void navigator.clipboard
      .writeText(id)
      .then(() => toast({ tone: "good", title: "The run's id is copied" }));
  });
}

/** Opening the folder a run works in; null in a browser, which cannot. */
export function useFolder(id: string, view: RunView | undefined) {
  const native = useNative();
  if (!native) return null;
  const why = view?.workspace.discarded
    ? "Its workspace is discarded"
    : view?.workspace.path
      ? undefined
      : "Its workspace is not made yet";
  const open = () => {
    native
      .openWorkspace(id)
      .catch((error: unknown) => toastError("The folder could not be opened", error));
  };
  return { why, open };
}
