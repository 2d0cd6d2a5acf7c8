import { StackedBars } from "../../components/charts";
import { Loaded } from "../../components/Loaded";
import { EmptyState } from "../../components/states";
import type { CostSeries, CostStack } from "../../ipc/bindings";
import { dollars, formatUsd } from "../../lib/money";
import { baseName } from "../../lib/numbers";
import { useCall } from "../../queries/call";
import { offsetMinutes } from "./range";

/** Most keys a bar is made of; the smallest are summed up. */
const MOST = 6;

/** Cost of each day as stacked bars. */
export function Chart(props: {
  moments: { since: string; until: string };
  stack: CostStack;
  today: Date;
}) {
  const series = useCall(
    "cost_series",
    { ...props.moments, stack: props.stack, offset_min: offsetMinutes(props.today) },
    { keepPrevious: true },
  );
  return (
    <Loaded query={series} what="the costs of each day">
      {(data) =>
        data.keys.length === 0 ? (
          <EmptyState title="Nothing was spent">No call was made in these days.</EmptyState>
        ) : (
          <StackedBars
            label={`Cost of each day by ${props.stack}`}
            columns={data.days.map((day) => day.slice(5))}
            series={seriesOf(data, props.stack)}
            format={(value) => formatUsd(value.toFixed(9))}
          />
        )
      }
    </Loaded>
  );
}

/** The largest keys first, the rest as one. Drawn only: figures are never summed from these. */
export function seriesOf(data: CostSeries, stack: CostStack) {
  const all = data.keys.map((key, i) => {
    const values = (data.values[i] ?? []).map(dollars);
    return {
      key: stack === "project" ? baseName(key) : key || "unknown",
      values,
      sum: values.reduce((a, b) => a + b, 0),
    };
  });
  all.sort((a, b) => b.sum - a.sum);
  if (all.length <= MOST) return all;
  const rest = all.slice(MOST - 1);
  const values = data.days.map((_, day) =>
    rest.reduce((sum, series) => sum + (series.values[day] ?? 0), 0),
  );
  return [...all.slice(0, MOST - 1), { key: `${rest.length} others`, values, sum: 0 }];
}
