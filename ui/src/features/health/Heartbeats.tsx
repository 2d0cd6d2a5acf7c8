import { Sparkline } from "../../components/charts";
import { RelativeTime } from "../../components/figures";
import { Section } from "../../components/Page";
import { Table } from "../../components/Table";
import type { LiveRun } from "../../ipc/bindings";
import { bytes } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { useCall } from "../../queries/call";
import { stateName } from "../../queries/run-words";
import { PlaceLink } from "../../stores/navigation";

/** The sparkline's span. */
const SECONDS = 600;
const BUCKETS = 60;

/** Every run at work: what it does, and when it was last heard of. */
export function Heartbeats({ live }: { live: readonly LiveRun[] }) {
  return (
    <Section title="Runs at work">
      {live.length === 0 ? (
        <p>No run is at work.</p>
      ) : (
        <Table<LiveRun>
          label="Runs at work"
          rows={live}
          keyOf={(run) => run.run}
          columns={[
            {
              id: "run",
              title: "Run",
              cell: (run) => (
                <PlaceLink to={{ room: "run", run: run.run }}>{oneLine(run.title, 80)}</PlaceLink>
              ),
            },
            { id: "state", title: "State", cell: (run) => stateName(run.state) },
            { id: "now", title: "Now", cell: (run) => oneLine(run.now ?? "–", 80) },
            {
              id: "heard",
              title: "Last sign of life",
              cell: (run) => <RelativeTime at={run.heard_at} />,
            },
            { id: "pulse", title: "Last 10 min", cell: (run) => <Pulse run={run.run} /> },
            {
              id: "memory",
              title: "Memory",
              numeric: true,
              cell: (run) => (run.memory_bytes === null ? "–" : bytes(run.memory_bytes)),
            },
          ]}
        />
      )}
    </Section>
  );
}

function Pulse({ run }: { run: string }) {
  const { data } = useCall("activity", { run, buckets: BUCKETS, seconds: SECONDS });
  if (!data) return null;
  const all = data.events.reduce((a, b) => a + b, 0);
  return <Sparkline values={data.events} label={`${all} events in the last 10 minutes`} />;
}
