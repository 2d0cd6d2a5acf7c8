import type { ReactNode } from "react";
import { Money } from "../../components/figures";
import { type Loadable, Loaded } from "../../components/Loaded";
import type { CostReport, CostRow } from "../../ipc/bindings";
import { formatUsd, nanoOf, usdOf } from "../../lib/money";
import { count, plural, short } from "../../lib/numbers";
import { useCall } from "../../queries/call";
import styles from "./CostsRoom.module.css";
import { RowCost } from "./RowCost";
import { forecast, momentsOf, thisMonth } from "./range";

/** The sums, each kind of figure apart: what is sure, what an agent said, what may come besides. */
export function Tiles(props: { report: Loadable<CostReport>; today: Date }) {
  return (
    <Loaded query={props.report} what="the sums" lines={2}>
      {({ total }) => (
        <div className={styles.tiles}>
          <Tile title="Spent">
            <p className={styles.big}>
              <RowCost row={total} />
            </p>
            <p className={styles.note}>{kindsOf(total)}</p>
          </Tile>
          <Tile title="Unsettled">
            <p className={styles.big}>
              <Money usd={total.unsettled_cost_usd} />
            </p>
            <p className={styles.note}>may have been billed by calls that were cut, at most</p>
          </Tile>
          <Tile title="Saved by caching">
            <p className={styles.big}>
              {total.cache_saved_usd ? <Money usd={total.cache_saved_usd} /> : "–"}
            </p>
            <p className={styles.note}>{short(total.usage.cache_read)} tokens read from caches</p>
          </Tile>
          <Tile title="Requests">
            <p className={styles.big}>{count(total.usage.requests)}</p>
            <p className={styles.note}>
              {short(total.usage.input)} in, {short(total.usage.output)} out
            </p>
          </Tile>
          {total.unpriced_requests > 0 && (
            <Tile title="No price known">
              <p className={styles.big}>{plural(total.unpriced_requests, "request")}</p>
              <p className={styles.note}>in no sum; add a price to count them</p>
            </Tile>
          )}
          <Forecast today={props.today} />
        </div>
      )}
    </Loaded>
  );
}

/** `priced; of it $1.20 reported by agents, $0.30 estimated`. */
function kindsOf(total: CostRow): string {
  const reported = nanoOf(total.reported_usd);
  const estimated = nanoOf(total.estimated_usd);
  const priced = nanoOf(total.cost_usd) - reported - estimated;
  const parts = [
    priced > 0n || (reported === 0n && estimated === 0n)
      ? `${formatUsd(usdOf(priced))} from the price book`
      : null,
    reported > 0n ? `${formatUsd(usdOf(reported))} reported by agents` : null,
    estimated > 0n ? `${formatUsd(usdOf(estimated))} estimated` : null,
  ];
  return parts.filter(Boolean).join(", ");
}

function Forecast({ today }: { today: Date }) {
  const month = useCall("cost", { by: "day", ...momentsOf(thisMonth(today)) });
  const spent = month.data ? nanoOf(month.data.total.cost_usd) : null;
  const expected = spent === null ? null : forecast(spent, today);
  if (spent === null || expected === null) return null;
  return (
    <Tile title="This month">
      <p className={styles.big}>
        <Money usd={usdOf(spent)} />
      </p>
      <p className={styles.note}>
        about <Money usd={usdOf(expected)} /> by its end, if it goes on like this
      </p>
    </Tile>
  );
}

function Tile(props: { title: string; children: ReactNode }) {
  return (
    <section className={styles.tile} aria-label={props.title}>
      <h2>{props.title}</h2>
      {props.children}
    </section>
  );
}
