import { StatePill } from "../../components/Badge";
import { Countdown } from "../../components/figures";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { Table } from "../../components/Table";
import type { BucketView } from "../../ipc/bindings";
import { useCall } from "../../queries/call";
import { gateWords } from "../../queries/gate-words";

/** The limiter: one gate a credential. */
export function Gates() {
  const limits = useCall("limits", {}, { everyMs: 10_000 });
  return (
    <Section title="Limiter">
      <Loaded query={limits} what="the limiter" lines={2}>
        {(data) =>
          data.limits.length === 0 ? (
            <p>No credential was used yet.</p>
          ) : (
            <Table<BucketView>
              label="The limiter's gates"
              rows={data.limits}
              keyOf={(gate) => gate.name}
              columns={[
                {
                  id: "backends",
                  title: "Credential of",
                  cell: (gate) => gate.backends.join(", ") || gate.name,
                },
                {
                  id: "state",
                  title: "State",
                  cell: (gate) => {
                    const { words, ...pill } = gateWords(gate);
                    return <StatePill {...pill}>{words}</StatePill>;
                  },
                },
                {
                  id: "until",
                  title: "Opens",
                  cell: (gate) => (gate.until ? <Countdown until={gate.until} /> : "–"),
                },
                {
                  id: "under-way",
                  title: "Calls under way",
                  numeric: true,
                  cell: (gate) => gate.in_flight,
                },
                {
                  id: "waiting",
                  title: "Calls waiting",
                  numeric: true,
                  cell: (gate) => gate.waiting,
                },
              ]}
            />
          )
        }
      </Loaded>
    </Section>
  );
}
