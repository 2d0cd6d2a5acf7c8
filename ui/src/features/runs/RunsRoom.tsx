import { CirclePlay, ListChecks, Search } from "lucide-react";
import { memo, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { runAction } from "../../actions/registry";
import { Button } from "../../components/Button";
import { ConfirmDialog } from "../../components/Dialog";
import { Select, TextField } from "../../components/fields";
import { Loaded } from "../../components/Loaded";
import { Page } from "../../components/Page";
import { EmptyState, Notice } from "../../components/states";
import { useSteady } from "../../components/steady";
import { VirtualList, type VirtualListHandle } from "../../components/VirtualList";
import type { RunList, RunSummary } from "../../ipc/bindings";
import { baseName, count, plural } from "../../lib/numbers";
import { useCall } from "../../queries/call";
import { useReadRunAhead } from "../../queries/run";
import { canCancel, canPause, canResume, RUN_STATES, stateName } from "../../queries/run-words";
import { useRuns } from "../../queries/runs";
import { useWhyNot } from "../../stores/connection";
import { useGo, useSearch, useSearchText } from "../../stores/navigation";
import { openTravel } from "../../stores/travel";
import { RunRow } from "./RunRow";
import styles from "./RunsRoom.module.css";
import { choicesOf, keyOfRow, type Row, type RunFilter, rowsOf, SECTION_TITLES } from "./sections";
import { useListActions } from "./use-list-actions";
import { useSteering } from "./use-steering";

/** All runs: what needs you first, what is done last. */
export function RunsRoom() {
  const runs = useRuns();
  return (
    <Loaded query={runs} what="the runs" lines={8}>
      {(list) => (list.runs.length === 0 ? <NoRuns /> : <AllRuns list={list} />)}
    </Loaded>
  );
}

function NoRuns() {
  return (
    <Page title="Runs">
      <EmptyState
        icon={<CirclePlay aria-hidden="true" />}
        title="No runs yet"
        action={
          <Button look="primary" onPress={() => runAction("app.new-run")}>
            New run
          </Button>
        }
      >
        A run is one task given to an agent. It goes on when this window is closed, and comes back
        after a crash.
      </EmptyState>
    </Page>
  );
}

function useFilter(): [RunFilter, (changes: Partial<RunFilter>) => void] {
  const [search, setSearch] = useSearch();
  const [text, setText] = useSearchText("text");
  const { state = null, project = null, backend = null } = search;
  const filter = useMemo(
    (): RunFilter => ({ text, state, project, backend }),
    [text, state, project, backend],
  );
  const change = useSteady(({ text: typed, ...picked }: Partial<RunFilter>) => {
    if (typed !== undefined) setText(typed);
    if (Object.keys(picked).length > 0) setSearch(picked);
  });
  return [filter, change];
}

/** The runs in whose transcripts the text stands, as the daemon finds them. */
function useSaid(text: string) {
  const wanted = useDeferredValue(text.trim());
  const found = useCall(
    "runs",
    { text: wanted },
    { enabled: wanted.length > 1, keepPrevious: true },
  );
  const said = useMemo(
    () => new Set(wanted.length > 1 ? found.data?.runs.map((run) => run.id) : []),
    [found.data, wanted],
  );
  return { said, partial: wanted.length > 1 && found.data?.partial === true };
}

function AllRuns({ list }: { list: RunList }) {
  const go = useGo();
  const [filter, setFilter] = useFilter();
  const { said, partial } = useSaid(filter.text);
  // Typing stays ahead of ten thousand runs.
  const wanted = useDeferredValue(filter);
  const interrupted = useMemo(
    () => list.runs.some((run) => run.state === "interrupted"),
    [list.runs],
  );
  const rows = useMemo(() => rowsOf(list.runs, wanted, said), [list.runs, wanted, said]);
  const shown = useMemo(() => rows.flatMap((row) => (row.kind === "run" ? [row.run] : [])), [rows]);
  const [current, setCurrent] = useState<string | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const listRef = useRef<VirtualListHandle>(null);
  const searchRef = useRef<HTMLInputElement & HTMLTextAreaElement>(null);

  const toggle = useCallback(
    (id: string) =>
      setChosen((before) => {
        const after = new Set(before);
        if (!after.delete(id)) after.add(id);
        return after;
      }),
    [],
  );
  const byId = useMemo(() => new Map(shown.map((run) => [run.id, run])), [shown]);
  // What is not in sight any more must not be acted on.
  const meant = useMemo(() => {
    if (chosen.size > 0) return shown.filter((run) => chosen.has(run.id));
    const run = byId.get(current ?? "");
    return run ? [run] : [];
  }, [shown, byId, chosen, current]);
  const readAhead = useReadRunAhead();
  useEffect(() => {
    const run = byId.get(current ?? "");
    if (run) readAhead(run);
  }, [byId, current, readAhead]);
  const steering = useSteering(meant, () => setChosen(new Set()));
  useListActions({
    shown,
    meant,
    current,
    setCurrent,
    toggle,
    chosen,
    setChosen,
    steering,
    focusList: () => listRef.current?.focus(),
    focusSearch: () => searchRef.current?.focus(),
  });

  return (
    <Page
      title="Runs"
      beside={<span>{countWords(shown.length, list.runs.length)}</span>}
      actions={
        <RunsToolbar
          meant={meant}
          picked={chosen.size}
          interrupted={interrupted}
          steering={steering}
        />
      }
    >
      <FilterBar list={list.runs} filter={filter} onFilter={setFilter} searchRef={searchRef} />
      {partial && (
        <Notice>
          The search in transcripts took too long and was ended: older runs may be missing.
        </Notice>
      )}
      {rows.length === 0 ? (
        <EmptyState
          icon={<Search aria-hidden="true" />}
          title="No run fits"
          action={
            <Button
              onPress={() => setFilter({ text: "", state: null, project: null, backend: null })}
            >
              Show all runs
            </Button>
          }
        >
          Nothing of what you filter by stands in any run.
        </EmptyState>
      ) : (
        <VirtualList<Row>
          label="Runs"
          items={rows}
          keyOf={keyOfRow}
          isHeading={(row) => row.kind === "heading"}
          estimate={56}
          current={current}
          onCurrent={setCurrent}
          onOpen={(row) => row.kind === "run" && go({ room: "run", run: row.run.id })}
          selected={chosen}
          onToggle={toggle}
          onAim={(row) => row.kind === "run" && readAhead(row.run)}
          listRef={listRef}
          render={(row, { selected }) =>
            row.kind === "heading" ? (
              <SectionHeading row={row} />
            ) : (
              <RunRow run={row.run} selected={selected} />
            )
          }
        />
      )}
      <ConfirmDialog
        title={`Cancel ${plural(steering.cancelling.length, "run")}?`}
        open={steering.cancelling.length > 0}
        onClose={steering.dontCancel}
        onConfirm={steering.cancel}
        confirm="Cancel the runs"
        danger
      >
        What they are doing is stopped, their open reviews are withdrawn. Their files stay until you
        discard them.
      </ConfirmDialog>
    </Page>
  );
}

const countWords = (shown: number, all: number): string =>
  shown === all ? plural(all, "run") : `${count(shown)} of ${plural(all, "run")}`;

/** For the eyes only: in a list of options there is no room for headings, and each says its state. */
function SectionHeading({ row }: { row: Row & { kind: "heading" } }) {
  return (
    <div className={styles.heading} aria-hidden="true">
      {SECTION_TITLES[row.section]} · {count(row.count)}
    </div>
  );
}

function RunsToolbar(props: {
  meant: readonly RunSummary[];
  picked: number;
  /** Whether any run, in sight or not, was interrupted. */
  interrupted: boolean;
  steering: ReturnType<typeof useSteering>;
}) {
  const { meant, steering } = props;
  const only = meant.length === 1 ? meant[0] : undefined;
  const why = useWhyNot();
  return (
    <>
      {props.picked > 0 && (
        <span>
          <ListChecks size={16} aria-hidden="true" /> {plural(props.picked, "run")} selected
        </span>
      )}
      {props.interrupted && (
        <Button why={why} onPress={() => runAction("app.resume-all")}>
          Resume all
        </Button>
      )}
      {meant.some((run) => canResume(run.state)) && (
        <Button why={why} onPress={steering.resume} keys="shift+r">
          Resume
        </Button>
      )}
      {meant.some((run) => canPause(run.state)) && (
        <Button why={why} onPress={steering.pause} keys="p">
          Pause
        </Button>
      )}
      {only && (
        <Button
          look="quiet"
          why={why}
          onPress={() => openTravel({ run: only.id, checkpoint: null, how: "fork" })}
        >
          Fork…
        </Button>
      )}
      {meant.some((run) => canCancel(run.state)) && (
        <Button look="quiet" why={why} onPress={steering.askToCancel}>
          Cancel…
        </Button>
      )}
    </>
  );
}

const ANY = "any";

/** Kept as it is while one moves in the list: its choices are as long as there are projects. */
const FilterBar = memo(function FilterBar(props: {
  list: readonly RunSummary[];
  filter: RunFilter;
  onFilter: (changes: Partial<RunFilter>) => void;
  searchRef: React.Ref<HTMLInputElement & HTMLTextAreaElement>;
}) {
  const { filter, onFilter, list } = props;
  const projects = useMemo(() => choicesOf(list, "project"), [list]);
  const backends = useMemo(() => choicesOf(list, "backend"), [list]);
  const chosen = (id: string) => (id === ANY ? null : id);
  return (
    <search className={styles.bar} aria-label="Filter the runs">
      <div className={styles.search}>
        <TextField
          label="Search in runs and transcripts"
          labelHidden
          placeholder="Search in runs and transcripts"
          before={<Search size={14} aria-hidden="true" />}
          value={filter.text}
          onChange={(text) => onFilter({ text })}
          inputRef={props.searchRef}
        />
      </div>
      <div className={styles.pick}>
        <Select
          label="State"
          labelHidden
          value={filter.state ?? ANY}
          onChange={(id) => onFilter({ state: chosen(id) })}
          options={[
            { id: ANY, label: "Any state" },
            ...RUN_STATES.map((state) => ({ id: state, label: stateName(state) })),
          ]}
        />
      </div>
      <div className={styles.pick}>
        <Select
          label="Project"
          labelHidden
          value={filter.project ?? ANY}
          onChange={(id) => onFilter({ project: chosen(id) })}
          options={[
            { id: ANY, label: "Any project" },
            ...projects.map((path) => ({ id: path, label: baseName(path), detail: path })),
          ]}
        />
      </div>
      <div className={styles.pick}>
        <Select
          label="Backend"
          labelHidden
          value={filter.backend ?? ANY}
          onChange={(id) => onFilter({ backend: chosen(id) })}
          options={[
            { id: ANY, label: "Any backend" },
            ...backends.map((name) => ({ id: name, label: name })),
          ]}
        />
      </div>
    </search>
  );
});
