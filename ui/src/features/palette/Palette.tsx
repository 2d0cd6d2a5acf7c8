import { useDeferredValue, useMemo, useRef, useState } from "react";
import {
  Autocomplete,
  Dialog,
  Input,
  Menu,
  MenuItem,
  Modal,
  ModalOverlay,
  SearchField,
} from "react-aria-components";
import { type OfferedAction, offeredActions, runAction } from "../../actions/registry";
import { KeyHint } from "../../components/KeyHint";
import type { RunSummary } from "../../ipc/bindings";
import { fuzzyFilter } from "../../lib/fuzzy";
import type { Keys } from "../../lib/keys";
import { baseName } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { useRuns } from "../../queries/runs";
import { useGo } from "../../stores/navigation";
import { showOverlay, useOverlay } from "../../stores/overlays";
import styles from "./Palette.module.css";

interface Entry {
  id: string;
  title: string;
  /** What it is: a group of actions, or a run's project and state. */
  kind: string;
  words: string;
  keys?: Keys | undefined;
  /** Why it cannot be done now. */
  why?: string;
  run: () => void;
}

/** As many as fit without scrolling far. */
const SHOWN = 50;

/** Over every action that can be done now, and over every run. */
export function Palette() {
  const open = useOverlay((s) => s.overlay === "palette");
  return (
    <ModalOverlay
      className={styles.scrim ?? ""}
      isOpen={open}
      onOpenChange={(now) => !now && showOverlay(null)}
      isDismissable
    >
      <Modal className={styles.modal ?? ""}>
        <Dialog aria-label="Find anything" className={styles.dialog ?? ""}>
          <Finder />
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

/** The runs as they were when the palette opened: what is found must not move under the hand. */
function useFirstRuns(): readonly RunSummary[] {
  const { data } = useRuns();
  const [first, setFirst] = useState(data?.runs);
  if (!first && data) setFirst(data.runs);
  return first ?? NO_RUNS;
}

const NO_RUNS: readonly RunSummary[] = [];

function useEntries(): readonly Entry[] {
  const runs = useFirstRuns();
  const go = useGo();
  const latestGo = useRef(go);
  const [actions] = useState(offeredActions);
  return useMemo(
    () => entriesOf(actions, runs, (run) => latestGo.current({ room: "run", run })),
    [actions, runs],
  );
}

function entriesOf(
  actions: readonly OfferedAction[],
  runs: readonly RunSummary[],
  open: (run: string) => void,
): Entry[] {
  return [
    ...actions.map(({ id, def, title, enabled }) => ({
      id,
      title,
      kind: def.group,
      words: `${title} ${def.group} ${def.words ?? ""}`,
      keys: def.keys?.[0],
      ...(enabled === true ? {} : { why: enabled || "Not possible now" }),
      run: () => {
        runAction(id);
      },
    })),
    ...runs.map((run) => ({
      id: `run:${run.id}`,
      title: run.title,
      kind: `${run.state} · ${baseName(run.project)}`,
      words: `${run.title} ${run.project} ${run.state} ${run.id}`,
      run: () => open(run.id),
    })),
  ];
}

function Finder() {
  const entries = useEntries();
  const [query, setQuery] = useState("");
  const wanted = useDeferredValue(query);
  const fitting = useMemo(
    () => fuzzyFilter(entries, wanted, (entry) => entry.words),
    [entries, wanted],
  );
  const found = [...fitting.filter((e) => !e.why), ...fitting.filter((e) => e.why)].slice(0, SHOWN);
  return (
    <Autocomplete inputValue={query} onInputChange={setQuery}>
      <SearchField aria-label="Find an action or a run" autoFocus className={styles.search ?? ""}>
        <Input className={styles.input ?? ""} placeholder="Find an action or a run…" />
      </SearchField>
      <Menu
        aria-label="Found"
        className={styles.list ?? ""}
        items={found}
        disabledKeys={found.filter((entry) => entry.why).map((entry) => entry.id)}
        onAction={(key) => {
          const entry = found.find(({ id }) => id === key);
          showOverlay(null);
          // After the palette has given the focus back.
          if (entry) setTimeout(entry.run);
        }}
        renderEmptyState={() => <p className={styles.none}>Nothing fits “{query}”.</p>}
      >
        {(entry) => (
          <MenuItem id={entry.id} textValue={entry.title} className={styles.item ?? ""}>
            <span className={styles.title}>{oneLine(entry.title, 90)}</span>
            <span className={styles.kind}>{entry.why ?? entry.kind}</span>
            {entry.keys && <KeyHint keys={entry.keys} />}
          </MenuItem>
        )}
      </Menu>
    </Autocomplete>
  );
}
