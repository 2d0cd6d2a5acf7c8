import { RelativeTime } from "../../components/figures";
import { Section } from "../../components/Page";
import { Table } from "../../components/Table";
import type { LockView } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { oneLine, plain } from "../../lib/plain";
import { PlaceLink } from "../../stores/navigation";
import styles from "./HealthRoom.module.css";

const PURPOSES: Record<string, string> = {
  "in-place": "works there",
  apply: "its result is put there",
};

/** Which folders of the user's are held, by whom, and who waits for them. */
export function Locks({ locks }: { locks: readonly LockView[] }) {
  return (
    <Section title="Locks">
      {locks.length === 0 ? (
        <p>No folder of yours is held by a run.</p>
      ) : (
        <Table<LockView>
          label="Locks"
          rows={locks}
          keyOf={(lock) => `${lock.scope} ${lock.run}`}
          columns={[
            {
              id: "scope",
              title: "Folder",
              cell: (lock) => <span className={styles.path}>{plain(lock.scope)}</span>,
            },
            {
              id: "run",
              title: "Held by",
              cell: (lock) => (
                <>
                  <PlaceLink to={{ room: "run", run: lock.run }}>
                    {oneLine(lock.title, 60)}
                  </PlaceLink>{" "}
                  {PURPOSES[lock.purpose] ?? lock.purpose}
                </>
              ),
            },
            { id: "since", title: "Since", cell: (lock) => <RelativeTime at={lock.since} /> },
            {
              id: "beat",
              title: "Last sign of life",
              cell: (lock) => <RelativeTime at={lock.beat} />,
            },
            {
              id: "waiting",
              title: "Waiting for it",
              cell: (lock) =>
                lock.waiting.length === 0 ? "nobody" : plural(lock.waiting.length, "run"),
            },
          ]}
        />
      )}
    </Section>
  );
}
