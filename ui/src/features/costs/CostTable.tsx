import { useMemo, useState } from "react";
import { Money } from "../../components/figures";
import { type Loadable, Loaded } from "../../components/Loaded";
import { EmptyState } from "../../components/states";
import { type Column, Table } from "../../components/Table";
import type { CostBy, CostReport, CostRow } from "../../ipc/bindings";
import { nanoOf } from "../../lib/money";
import { baseName, count, short } from "../../lib/numbers";
import { capital, oneLine } from "../../lib/plain";
import { useRuns } from "../../queries/runs";
import { PlaceLink } from "../../stores/navigation";
import styles from "./CostsRoom.module.css";
import { RowCost } from "./RowCost";

/** Rows beyond this many are in the export, not on screen. */
const SHOWN = 200;

const byCost = (a: CostRow, b: CostRow): number => {
  const difference =
    nanoOf(a.cost_usd) +
    nanoOf(a.unsettled_cost_usd) -
    nanoOf(b.cost_usd) -
    nanoOf(b.unsettled_cost_usd);
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
};

const COLUMNS: readonly Column<CostRow>[] = [
  {
    id: "requests",
    title: "Requests",
    numeric: true,
    cell: (row) => count(row.usage.requests),
    sort: (a, b) => a.usage.requests - b.usage.requests,
  },
  {
    id: "input",
    title: "Input",
    numeric: true,
    cell: (row) => <Tokens value={row.usage.input} />,
    sort: (a, b) => a.usage.input - b.usage.input,
  },
  {
    id: "output",
    title: "Output",
    numeric: true,
    cell: (row) => <Tokens value={row.usage.output} />,
    sort: (a, b) => a.usage.output - b.usage.output,
  },
  {
    id: "cache",
    title: "Cache read",
    numeric: true,
    cell: (row) => <Tokens value={row.usage.cache_read} />,
    sort: (a, b) => a.usage.cache_read - b.usage.cache_read,
  },
  {
    id: "unsettled",
    title: "Unsettled",
    numeric: true,
    cell: (row) =>
      nanoOf(row.unsettled_cost_usd) > 0n ? <Money usd={row.unsettled_cost_usd} /> : "–",
    sort: (a, b) => Number(nanoOf(a.unsettled_cost_usd) - nanoOf(b.unsettled_cost_usd)),
  },
  {
    id: "cost",
    title: "Cost",
    numeric: true,
    cell: (row) => <RowCost row={row} />,
    sort: byCost,
  },
];

function Tokens({ value }: { value: number }) {
  return <span title={count(value)}>{short(value)}</span>;
}

export function CostTable(props: { report: Loadable<CostReport>; by: CostBy }) {
  const [sorted, setSorted] = useState({ column: "cost", descending: true });
  const names = useRunNames(props.by === "run");
  const first: Column<CostRow> = {
    id: "key",
    title: capital(props.by),
    cell: (row) => <Key by={props.by} value={row.key} name={names.get(row.key)} />,
    sort: (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  };
  const columns = [first, ...COLUMNS];
  return (
    <Loaded query={props.report} what="the costs">
      {(report) => {
        if (report.rows.length === 0) {
          return <EmptyState title="Nothing was spent">No call was made in these days.</EmptyState>;
        }
        const sort = columns.find((column) => column.id === sorted.column)?.sort ?? byCost;
        const way = sorted.descending ? -1 : 1;
        const rows = report.rows.toSorted((a, b) => way * sort(a, b));
        return (
          <div className={styles.tables}>
            <Table
              label={`Costs by ${props.by}`}
              columns={columns}
              rows={rows.slice(0, SHOWN)}
              keyOf={(row) => row.key}
              sortedBy={sorted}
              onSort={(column) =>
                setSorted((before) => ({
                  column,
                  descending: before.column === column ? !before.descending : column !== "key",
                }))
              }
              footer={<Total total={report.total} />}
            />
            {rows.length > SHOWN && (
              <p className={styles.note}>
                {count(rows.length - SHOWN)} more rows are in the export; the sum counts them.
              </p>
            )}
          </div>
        );
      }}
    </Loaded>
  );
}

function Total({ total }: { total: CostRow }) {
  return (
    <tr>
      <th scope="row">Sum</th>
      {COLUMNS.map((column) => (
        <td key={column.id} className={styles.sum}>
          {column.cell(total)}
        </td>
      ))}
    </tr>
  );
}

function useRunNames(wanted: boolean): ReadonlyMap<string, string> {
  const { data } = useRuns();
  return useMemo(
    () => new Map(wanted ? data?.runs.map((run): [string, string] => [run.id, run.title]) : []),
    [wanted, data],
  );
}

function Key(props: { by: CostBy; value: string; name: string | undefined }) {
  if (props.by === "run") {
    return (
      <PlaceLink to={{ room: "run", run: props.value, tab: "cost" }}>
        {props.name ? oneLine(props.name, 80) : props.value}
      </PlaceLink>
    );
  }
  if (props.by === "project") return <span title={props.value}>{baseName(props.value)}</span>;
  return <span className={styles.key}>{props.value || "unknown"}</span>;
}
