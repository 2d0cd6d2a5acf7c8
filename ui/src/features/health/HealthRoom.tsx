import { Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { Table } from "../../components/Table";
import type { DiskUse, Health } from "../../ipc/bindings";
import { bytes } from "../../lib/numbers";
import { useCall } from "../../queries/call";
import { Backups } from "./Backups";
import { Cards } from "./Cards";
import { Doctor } from "./Doctor";
import { Figures } from "./Figures";
import { Gates } from "./Gates";
import styles from "./HealthRoom.module.css";
import { Heartbeats } from "./Heartbeats";
import { Locks } from "./Locks";
import { LogTail } from "./LogTail";
import { Rules } from "./Rules";
import { Workspaces } from "./Workspaces";

/** Is it all alive, and is there room to go on. */
export function HealthRoom() {
  // Memory, disk and heartbeats change without an event.
  const health = useCall("health", {}, { everyMs: 10_000 });
  return (
    <Page title="Health" scrolls>
      <Loaded query={health} what="how the daemon is" lines={6}>
        {(data) => (
          <>
            <Cards health={data} />
            <Heartbeats live={data.live} />
          </>
        )}
      </Loaded>
      <Gates />
      {health.data && <Rules broken={health.data.broken_rules ?? []} />}
      {health.data && <Locks locks={health.data.locks ?? []} />}
      <Figures />
      <Doctor />
      <Loaded query={health} what="disk use and backups" lines={3}>
        {(data) => (
          <>
            <Disk health={data} />
            {data.workspaces && <Workspaces use={data.workspaces} />}
            <Backups backups={data.backups} />
          </>
        )}
      </Loaded>
      <LogTail />
    </Page>
  );
}

function Disk({ health }: { health: Health }) {
  return (
    <Section title="Disk use">
      <Table<DiskUse>
        label="Disk use"
        rows={health.disk}
        keyOf={(use) => use.path}
        columns={[
          { id: "what", title: "What", cell: (use) => use.what },
          {
            id: "path",
            title: "Where",
            cell: (use) => <span className={styles.path}>{use.path}</span>,
          },
          { id: "bytes", title: "Size", numeric: true, cell: (use) => bytes(use.bytes) },
        ]}
        footer={
          <tr>
            <th scope="row" colSpan={2}>
              Free on this disk
            </th>
            <td>{bytes(health.free_bytes)}</td>
          </tr>
        }
      />
    </Section>
  );
}
