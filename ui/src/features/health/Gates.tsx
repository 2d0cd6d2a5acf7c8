import type { ReactNode } from "react";
import { StatePill } from "../../components/Badge";
import { Countdown } from "../../components/figures";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { Table } from "../../components/Table";
import type { BucketShare, BucketView, NamedBucket } from "../../ipc/bindings";
import { count } from "../../lib/numbers";
import { plain } from "../../lib/plain";
import { useCall } from "../../queries/call";
import { gateWords } from "../../queries/gate-words";

/** The limiter: one gate a credential. */
export function Gates() {
  const limits = useCall("limits", {}, { everyMs: 10_000 });
  return (
    <Section title="Limiter">
      <Loaded query={limits} what="the limiter" lines={2}>
        {(data) => (
          <>
            {(data.buckets ?? []).length > 0 && <Buckets all={data.buckets ?? []} />}
            {data.limits.length === 0 && <p>No credential was used yet.</p>}
            {data.limits.length > 0 && (
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
            )}
          </>
        )}
      </Loaded>
    </Section>
  );
}

const used = (calls: number, cap: number | null): string =>
  cap === null ? "–" : `${count(calls)} of ${count(cap)}`;

type Row = NamedBucket | (BucketShare & { of: string });

/** Named buckets: what may be called how often, and was; a project's share below its bucket. */
function Buckets({ all }: { all: readonly NamedBucket[] }) {
  const rows = all.flatMap((bucket): Row[] => [
    bucket,
    ...bucket.shares.map((share) => ({ ...share, of: bucket.name })),
  ]);
  const whole = (cell: (bucket: NamedBucket) => ReactNode) => (row: Row) =>
    "of" in row ? "–" : cell(row);
  return (
    <Table<Row>
      label="Buckets"
      rows={rows}
      keyOf={(row) => ("of" in row ? `${row.of} ${row.project}` : row.name)}
      columns={[
        {
          id: "name",
          title: "Bucket",
          cell: (row) => plain("of" in row ? `${row.of}, for ${row.project}` : row.name),
        },
        {
          id: "minute",
          title: "A minute",
          numeric: true,
          cell: whole((b) => used(b.used_minute, b.per_minute)),
        },
        {
          id: "day",
          title: "A day",
          numeric: true,
          cell: (row) => used(row.used_day, row.per_day),
        },
        {
          id: "month",
          title: "A month",
          numeric: true,
          cell: whole((b) => used(b.used_month, b.per_month)),
        },
        { id: "waiting", title: "Waiting", numeric: true, cell: whole((b) => count(b.waiting)) },
        {
          id: "next",
          title: "Next call",
          cell: whole((b) =>
            b.until ? (
              <>
                <Countdown until={b.until} />: {plain(b.cause ?? "")}
              </>
            ) : (
              "now"
            ),
          ),
        },
      ]}
    />
  );
}
