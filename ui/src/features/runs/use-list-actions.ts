import { useAction } from "../../actions/registry";
import type { RunSummary } from "../../ipc/bindings";
import { canCancel, canPause, canResume } from "../../queries/run-words";
import { useWhyNot } from "../../stores/connection";
import { useGo } from "../../stores/navigation";
import type { Steering } from "./use-steering";

/** The list's shortcuts, for when the list itself does not have the focus. */
export function useListActions(list: {
  shown: readonly RunSummary[];
  /** Those that steering is about. */
  meant: readonly RunSummary[];
  current: string | null;
  setCurrent: (id: string) => void;
  toggle: (id: string) => void;
  chosen: ReadonlySet<string>;
  setChosen: (ids: ReadonlySet<string>) => void;
  steering: Steering;
  focusList: () => void;
  focusSearch: () => void;
}): void {
  const go = useGo();
  const { shown, meant, current, chosen, steering } = list;
  const why = useWhyNot();
  const any = (can: (state: RunSummary["state"]) => boolean) => meant.some((run) => can(run.state));

  const move = (by: number) => {
    const at = shown.findIndex((run) => run.id === current);
    const next = shown[Math.max(0, Math.min(shown.length - 1, at + by))];
    if (next) list.setCurrent(next.id);
    list.focusList();
  };

  useAction("runs.next", () => move(1));
  useAction("runs.previous", () => move(-1));
  useAction("runs.open", current ? () => go({ room: "run", run: current }) : null);
  useAction("runs.filter", list.focusSearch);
  useAction("runs.select", current ? () => list.toggle(current) : null);
  useAction("runs.select-all", () => list.setChosen(new Set(shown.map((run) => run.id))));
  useAction("runs.clear", chosen.size > 0 ? () => list.setChosen(new Set()) : null);
  useAction("runs.resume", {
    run: steering.resume,
    enabled: why ?? (any(canResume) || "None of these runs can be resumed"),
  });
  useAction("runs.pause", {
    run: steering.pause,
    enabled: why ?? (any(canPause) || "None of these runs goes on"),
  });
  useAction("runs.cancel", {
    run: steering.askToCancel,
    enabled: why ?? (any(canCancel) || "All of these runs are over"),
  });
}
