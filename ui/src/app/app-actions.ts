import { useMemo } from "react";
import { useAction } from "../actions/registry";
import type { RunState } from "../ipc/bindings";
import { plural } from "../lib/numbers";
import { useCallMutation } from "../queries/call";
import { useNative } from "../queries/link";
import { canPause } from "../queries/run-words";
import { useRuns } from "../queries/runs";
import { setTheme, toggleRail } from "../stores/appearance";
import { useConnection } from "../stores/connection";
import { useGo } from "../stores/navigation";
import { showOverlay } from "../stores/overlays";
import { toast, toastError } from "../stores/toasts";

/** What can be done from anywhere. */
export function useAppActions(): void {
  const go = useGo();
  const lost = useConnection((s) => s.connection.state === "lost");
  useAction("app.palette", () => showOverlay("palette"));
  useAction("app.help", () => showOverlay("help"));
  useAction("app.new-run", () => go({ room: "new" }));
  useAction("app.reconnect", {
    run: () => useConnection.getState().retryNow(),
    enabled: lost || "It is connected",
  });
  useAction("app.theme-light", () => setTheme("light"));
  useAction("app.theme-dark", () => setTheme("dark"));
  useAction("app.theme-system", () => setTheme("system"));
  useAction("app.rail", toggleRail);
  useAction("go.inbox", () => go({ room: "inbox" }));
  useAction("go.runs", () => go({ room: "runs" }));
  useAction("go.costs", () => go({ room: "costs" }));
  useAction("go.health", () => go({ room: "health" }));
  useAction("go.settings", () => go({ room: "settings" }));
  useAction("go.rules", () => go({ room: "settings", section: "rules" }));
  useAction("go.webhook", () => go({ room: "settings", section: "webhook" }));
  useAction("go.welcome", () => go({ room: "welcome" }));
  useAllRunActions();
  useShellActions();
}

/** What only the desktop can do: it asks by itself where something would be lost. */
function useShellActions(): void {
  const native = useNative();
  const perform = (action: "daemon.stop" | "window.quit") =>
    native && {
      run: () => {
        native.perform(action).catch((error: unknown) => toastError("That did not work", error));
      },
    };
  useAction("daemon.stop", perform("daemon.stop"));
  useAction("window.quit", perform("window.quit"));
}

/** What resuming all resumes; a failed run is resumed one by one. */
const isResting = (state: RunState) => state === "paused" || state === "interrupted";

function useAllRunActions(): void {
  const { data } = useRuns();
  // Once for each list: this is drawn again with every event, and there may be ten thousand runs.
  const [pausable, resting] = useMemo(() => {
    const has = (fits: (state: RunState) => boolean) => data?.runs.some((r) => fits(r.state));
    return [has(canPause), has(isResting)];
  }, [data]);
  const pause = useCallMutation("pause", {
    onDone: ({ runs }) =>
      toast({
        tone: "good",
        title: `Pausing ${plural(runs.length, "run")}`,
        detail: "Each stops at its next operation boundary.",
      }),
    onError: (error) => toastError("The runs could not be paused", error),
  });
  const resume = useCallMutation("resume", {
    onDone: ({ runs }) => toast({ tone: "good", title: `Resumed ${plural(runs.length, "run")}` }),
    onError: (error) => toastError("The runs could not be resumed", error),
  });
  useAction("app.pause-all", {
    run: () => pause.mutate({ runs: "all" }),
    enabled: pausable || "No run is going on",
  });
  useAction("app.resume-all", {
    run: () => resume.mutate({ runs: "all" }),
    enabled: resting || "No run is paused or interrupted",
  });
}
