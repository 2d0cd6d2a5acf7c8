import { RelativeTime } from "../../components/figures";
import { Facts, Section } from "../../components/Page";
import { BudgetBar } from "../../components/Progress";
import type { WorkspacesUse } from "../../ipc/bindings";
import { bytes, count, plural } from "../../lib/numbers";
import { plain } from "../../lib/plain";

/** What the runs' files take of what they may, and what could be freed. */
export function Workspaces({ use }: { use: WorkspacesUse }) {
  const all = use.work_bytes + use.snapshot_bytes;
  return (
    <Section title="Workspaces">
      <p>{plain(use.words)}</p>
      <BudgetBar
        label="Workspaces and snapshots"
        used={all}
        max={use.budget_bytes}
        words={`${bytes(all)} of ${bytes(use.budget_bytes)}`}
      />
      <Facts
        facts={[
          ["Workspaces", count(use.workspaces)],
          ["Files runs work on", bytes(use.work_bytes)],
          ["Snapshots", bytes(use.snapshot_bytes)],
          [
            "Could be freed",
            use.freeable_runs === 0
              ? "nothing: no run that is over has files left"
              : `${bytes(use.freeable_bytes)}, by discarding ${plural(use.freeable_runs, "run")} that ${use.freeable_runs === 1 ? "is" : "are"} over`,
          ],
          ["Measured", <RelativeTime key="at" at={use.measured_at} />],
        ]}
      />
    </Section>
  );
}
