import { CirclePause, CirclePlay, Ellipsis } from "lucide-react";
import { useMemo } from "react";
import { runAction } from "../../actions/registry";
import { Badge, StatePill } from "../../components/Badge";
import { Button, IconButton } from "../../components/Button";
import { ConfirmDialog } from "../../components/Dialog";
import { Countdown } from "../../components/figures";
import { Menu } from "../../components/Menu";
import { Page } from "../../components/Page";
import { ErrorState, Skeleton } from "../../components/states";
import { Tabs } from "../../components/Tabs";
import type { RunView } from "../../ipc/bindings";
import type { RunTab } from "../../lib/places";
import { oneLine, plain } from "../../lib/plain";
import { useRunView } from "../../queries/run";
import {
  canPause,
  canResume,
  isEnded,
  isLive,
  stateTone,
  stateWords,
} from "../../queries/run-words";
import { useRunSummary } from "../../queries/runs";
import { useGo, useSearch } from "../../stores/navigation";
import { toast } from "../../stores/toasts";
import { openTravel } from "../../stores/travel";
import { Attention } from "./Attention";
import { ChangesTab } from "./ChangesTab";
import { CostTab } from "./CostTab";
import { DetailsTab } from "./DetailsTab";
import { MessageBox } from "./MessageBox";
import { RunHeader } from "./RunHeader";
import styles from "./RunRoom.module.css";
import { Timeline } from "./Timeline";
import { TraceTab } from "./TraceTab";
import { type RunActions, useRunActions } from "./use-run-actions";

/** One run: where it is, everything it did, and what can be done about it. */
export function RunRoom({ run, tab }: { run: string; tab: RunTab }) {
  const query = useRunView(run);
  const view = query.data;
  const summary = useRunSummary(run);
  const actions = useRunActions(run, view);
  const title = oneLine(view?.title ?? summary?.title ?? "Run", 200);
  return (
    <Page
      title={title}
      beside={view && <StateWords view={view} />}
      actions={<Actions view={view} actions={actions} />}
    >
      {view ? (
        <RunHeader view={view} />
      ) : query.error ? (
        <ErrorState
          title="Could not read the run"
          error={query.error}
          onRetry={() => void query.refetch()}
        />
      ) : (
        <Skeleton lines={2} label="Reading the run…" />
      )}
      {view && <Attention view={view} actions={actions} />}
      {(view || !query.error) && (
        <>
          <RunTabs run={run} tab={tab} view={view} actions={actions} />
          <MessageBox run={run} view={view} />
        </>
      )}
      <Confirmations actions={actions} />
    </Page>
  );
}

function StateWords({ view }: { view: RunView }) {
  const state = {
    state: view.state,
    cause: view.cause,
    open_reviews: view.reviews.filter((r) => r.state === "open").length,
  };
  return (
    <>
      <StatePill tone={stateTone(state)} moving={isLive(view.state)}>
        {stateWords(state)}
      </StatePill>
      {view.until && !isEnded(view.state) && <Countdown until={view.until} />}
      {view.simulated && (
        <Badge title="A scripted model answers; nothing is spent">Simulated</Badge>
      )}
    </>
  );
}

function RunTabs(props: {
  run: string;
  tab: RunTab;
  view: RunView | undefined;
  actions: RunActions;
}) {
  const { run, tab, view, actions } = props;
  const go = useGo();
  const [search] = useSearch();
  const live = view ? isLive(view.state) : false;
  const asked = /^\d+$/.test(search.step ?? "") ? Number(search.step) : null;
  const tabs = useMemo(
    () => [
      {
        id: "timeline",
        label: "Timeline",
        content: <Timeline run={run} live={live} asked={asked} />,
      },
      {
        id: "changes",
        label: "Changes",
        content: <ChangesTab run={run} view={view} live={live} actions={actions} />,
      },
      { id: "trace", label: "Trace", content: <TraceTab run={run} live={live} asked={asked} /> },
      { id: "cost", label: "Cost", content: <CostTab run={run} live={live} /> },
      { id: "details", label: "Details", content: <DetailsTab run={run} view={view} /> },
    ],
    [run, live, asked, view, actions],
  );
  return (
    <div className={styles.tabs}>
      <Tabs
        label="Parts of the run"
        chosen={tab}
        tabs={tabs}
        onChoose={(id) => go({ room: "run", run, tab: id as RunTab }, { replace: true })}
      />
    </div>
  );
}

function Actions({ view, actions }: { view: RunView | undefined; actions: RunActions }) {
  const { why } = actions;
  if (!view) return null;
  return (
    <>
      {canResume(view.state) && (
        <Button
          look="primary"
          icon={<CirclePlay size={16} />}
          keys="shift+r"
          why={why.resume}
          isDisabled={Boolean(why.resume) || actions.busy}
          onPress={actions.resume}
        >
          Resume
        </Button>
      )}
      {canPause(view.state) && (
        <Button
          icon={<CirclePause size={16} />}
          keys="p"
          why={why.pause}
          isDisabled={Boolean(why.pause) || actions.busy}
          onPress={actions.pause}
        >
          Pause
        </Button>
      )}
      <Menu
        label="More about this run"
        trigger={<IconButton label="More actions" icon={<Ellipsis size={16} />} />}
        entries={[
          {
            id: "message",
            label: "Send the agent a message",
            keys: "m",
            run: () => runAction("run.message"),
          },
          {
            id: "folder",
            label: "Copy the workspace's path",
            why: view.workspace.discarded
              ? "Its workspace is discarded"
              : view.workspace.path
                ? undefined
                : "It has no workspace yet",
            run: () => view.workspace.path && copy(view.workspace.path),
          },
          { id: "copy", label: "Copy the run's id", run: () => runAction("run.copy-id") },
          null,
          {
            id: "fork",
            label: "Fork from the newest checkpoint…",
            run: () => openTravel({ run: view.id, checkpoint: null, how: "fork" }),
          },
          {
            id: "apply",
            label: "Apply all changes as a branch",
            why: actions.apply.whyInto("branch"),
            run: () => actions.apply.start("branch"),
          },
          null,
          {
            id: "cancel",
            label: "Cancel the run…",
            danger: true,
            why: why.cancel,
            run: () => actions.confirm("cancel"),
          },
          {
            id: "discard",
            label: "Discard the workspace…",
            danger: true,
            why: why.discard,
            run: () => actions.confirm("discard"),
          },
        ]}
      />
    </>
  );
}

function copy(path: string): void {
  void navigator.clipboard
    .writeText(path)
    .then(() => toast({ tone: "good", title: "The path is copied", detail: plain(path) }));
}

function Confirmations({ actions }: { actions: RunActions }) {
  return (
    <>
      <ConfirmDialog
        title="Cancel this run?"
        open={actions.confirming === "cancel"}
        onClose={() => actions.confirm(null)}
        onConfirm={actions.cancel}
        confirm="Cancel the run"
        danger
      >
        It ends now: what it is doing is stopped and its open reviews are withdrawn. Its journal and
        its workspace stay.
      </ConfirmDialog>
      <ConfirmDialog
        title="Discard the workspace?"
        open={actions.confirming === "discard"}
        onClose={() => actions.confirm(null)}
        onConfirm={actions.discard}
        confirm="Discard the workspace"
        danger
      >
        The files this run worked on are deleted. Changes that were not applied are lost; branches
        that were made of them stay, and so does the journal.
      </ConfirmDialog>
    </>
  );
}
