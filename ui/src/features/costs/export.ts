import type { CostReport } from "../../ipc/bindings";
import { csv } from "../../lib/csv";

const HEADING = [
  "requests",
  "input",
  "output",
  "cache_read",
  "cache_write",
  "cost_usd",
  "reported_usd",
  "estimated_usd",
  "unsettled_usd",
  "unpriced_requests",
];

/** The report as a spreadsheet reads it: every figure in full, decimal strings as they are. */
export function asCsv(report: CostReport): string {
  return csv(
    [report.by, ...HEADING],
    report.rows.map((row) => [
      row.key,
      row.usage.requests,
      row.usage.input,
      row.usage.output,
      row.usage.cache_read,
      row.usage.cache_write,
      Number(row.cost_usd) === 0 && row.unpriced_requests > 0 ? "" : row.cost_usd,
      row.reported_usd,
      row.estimated_usd,
      row.unsettled_cost_usd,
      row.unpriced_requests,
    ]),
  );
}
