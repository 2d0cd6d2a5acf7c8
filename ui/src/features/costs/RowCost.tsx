import { Money } from "../../components/figures";
import type { CostRow } from "../../ipc/bindings";

/** What a row cost. Where no request of it has a known price, that is said instead of zero. */
export function RowCost({ row }: { row: CostRow }) {
  const unpriced = row.unpriced_requests > 0 && row.unpriced_requests === row.usage.requests;
  return <Money usd={unpriced ? null : row.cost_usd} partly={row.unpriced_requests > 0} />;
}
