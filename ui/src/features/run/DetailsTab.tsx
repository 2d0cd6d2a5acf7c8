import { Download, FolderOpen } from "lucide-react";
import { useState } from "react";
import { StatePill } from "../../components/Badge";
import { Button } from "../../components/Button";
import { CodeBlock } from "../../components/CodeBlock";
import { RelativeTime } from "../../components/figures";
import { Facts, Section } from "../../components/Page";
import { ErrorState, Skeleton } from "../../components/states";
import { VirtualList } from "../../components/VirtualList";
import type { LogEntry, RunView, SandboxView } from "../../ipc/bindings";
import { formatUsd } from "../../lib/money";
import { bytes, count, plural } from "../../lib/numbers";
import { plain } from "../../lib/plain";
import { duration, exact } from "../../lib/time";
import { entryLine } from "../../queries/entry-words";
import { useJournal } from "../../queries/run";
import { PlaceLink } from "../../stores/navigation";
import styles from "./DetailsTab.module.css";
import { useExport } from "./use-export";
import { useFolder } from "./use-run-actions";
import { timeOfDay } from "./words";

/** Ids, settings and the raw journal. */
export function DetailsTab({ run, view }: { run: string; view: RunView | undefined }) {
  return (
    <div className={styles.details}>
      {view ? <Settings view={view} /> : <Skeleton lines={6} />}
      <Journal run={run} />
    </div>
  );
}

function OpenFolder({ view }: { view: RunView }) {
  const folder = useFolder(view.id, view);
  if (!folder || folder.why) return null;
  return (
    <Button look="quiet" icon={<FolderOpen />} onPress={folder.open}>
      Open the folder
    </Button>
  );
}

function Settings({ view }: { view: RunView }) {
  const { budget, workspace } = view;
  const code = (text: string | null, none = "none") =>
    text === null ? <span className={styles.faint}>{none}</span> : <code>{plain(text)}</code>;
  const cap = (value: string | null) => value ?? "no cap";
  return (
    <>
      <Section title="The task">
        <CodeBlock text={view.prompt} label="Prompt" wrap maxHeight={16} />
      </Section>
      <Section title="Settings">
        <Facts
          facts={[
            ["Run", code(view.id)],
            ["Project", code(view.project)],
            ["Backend", `${view.backend} (${view.kind})`],
            ["Model asked for", code(view.model, "its default")],
            [
              "Models that answered",
              view.answered_by.length > 0 ? view.answered_by.map(plain).join(", ") : "none yet",
            ],
            ["Fallback", view.fallback.length > 0 ? view.fallback.join(", ") : "none"],
            ["Policy", view.policy],
            ["Verify command", code(view.verify)],
            [
              "Workspace",
              <>
                {workspace.kind}
                {workspace.discarded && ", discarded"} {code(workspace.path, "not made yet")}
                <OpenFolder view={view} />
              </>,
            ],
            [
              "Takes",
              workspace.bytes === null || workspace.bytes === undefined
                ? "not measured yet"
                : `${bytes(workspace.bytes)}, with its snapshots`,
            ],
            ["Sandbox", <Sandbox key="sandbox" sandbox={workspace.sandbox} />],
            ["Branch", code(workspace.branch)],
            ["Base", code(workspace.base)],
            [
              "Budget",
              [
                cap(budget.max_cost_usd && formatUsd(budget.max_cost_usd)),
                cap(budget.max_tokens ? `${count(budget.max_tokens)} tokens` : null),
                cap(budget.max_tool_calls ? `${count(budget.max_tool_calls)} tool calls` : null),
                cap(budget.max_duration_s ? duration(budget.max_duration_s * 1000) : null),
              ].join(" · "),
            ],
            ["Priority", `${view.priority}`],
            [
              "After",
              view.after ? (
                <PlaceLink key="after" to={{ room: "run", run: view.after }}>
                  {view.after}
                </PlaceLink>
              ) : (
                "no other run"
              ),
            ],
            [
              "Forked from",
              view.fork ? (
                <span key="fork">
                  {view.fork.checkpoint} of{" "}
                  <PlaceLink to={{ room: "run", run: view.fork.run }}>{view.fork.run}</PlaceLink>
                </span>
              ) : (
                "no other run"
              ),
            ],
            ["Attempts", count(view.attempts)],
            ["Created", exact(view.created_at)],
            ["Started", view.started_at ? exact(view.started_at) : "not yet"],
            ["Ended", view.ended_at ? exact(view.ended_at) : "not yet"],
          ]}
        />
      </Section>
      {view.result !== null && (
        <Section title="Result">
          <CodeBlock text={view.result} label="Result" wrap maxHeight={24} />
        </Section>
      )}
    </>
  );
}

/** Whether what the run starts is kept from everything but its files. */
function Sandbox({ sandbox }: { sandbox: SandboxView | null | undefined }) {
  if (!sandbox) return <span className={styles.faint}>not known</span>;
  if (sandbox.used) return "Commands that begin now run in it";
  return (
    <>
      <StatePill tone="warn">Not used</StatePill> {sandbox.why && plain(sandbox.why)}
    </>
  );
}

const keyOf = (entry: LogEntry): string => `${entry.seq}`;

function Journal({ run }: { run: string }) {
  const journal = useJournal(run);
  const [current, setCurrent] = useState<string | null>(null);
  const save = useExport(run);
  const entries = journal.data?.pages.flatMap((page) => page.entries) ?? [];
  const shown = entries.find((entry) => keyOf(entry) === current);
  return (
    <Section
      title="Raw journal"
      actions={
        <Button
          small
          icon={<Download size={16} />}
          isDisabled={save.progress !== null}
          onPress={save.start}
        >
          {save.progress === null
            ? "Export as JSON lines"
            : `Exporting, ${plural(save.progress, "event")}…`}
        </Button>
      }
    >
      {journal.isPending && <Skeleton lines={6} label="Reading the journal…" />}
      {journal.error && entries.length === 0 && (
        <ErrorState
          title="Could not read the journal"
          error={journal.error}
          onRetry={() => void journal.refetch()}
        />
      )}
      {entries.length > 0 && (
        <div className={styles.journal}>
          <VirtualList
            label="Journal"
            items={entries}
            keyOf={keyOf}
            estimate={26}
            current={current}
            onCurrent={setCurrent}
            onEnd={() => {
              if (journal.hasNextPage && !journal.isFetching) void journal.fetchNextPage();
            }}
            render={(entry) => (
              <div className={styles.entry}>
                <span className={styles.seq}>{entry.seq}</span>
                <span className={styles.at} title={exact(entry.at)}>
                  {timeOfDay(entry.at)}
                </span>
                <span className={styles.kind}>{entry.event.kind}</span>
                <span className={styles.words}>{entryLine(entry).text}</span>
              </div>
            )}
          />
          <div className={styles.raw}>
            {shown ? (
              <>
                <p className={styles.faint}>
                  Event {shown.seq}, <RelativeTime at={shown.at} />
                </p>
                <CodeBlock
                  text={JSON.stringify(shown, null, 2)}
                  label={`Event ${shown.seq}`}
                  wrap
                />
              </>
            ) : (
              <p className={styles.faint}>Choose an event to see all of it.</p>
            )}
          </div>
        </div>
      )}
    </Section>
  );
}
