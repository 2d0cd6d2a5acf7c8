import { Receipt } from "lucide-react";
import { useMemo, useState } from "react";
import { Money } from "../../components/figures";
import { Loaded } from "../../components/Loaded";
import { Facts, Section } from "../../components/Page";
import { EmptyState } from "../../components/states";
import { type Column, Table } from "../../components/Table";
import { VirtualList } from "../../components/VirtualList";
import type { RunView } from "../../ipc/bindings";
import { dollars } from "../../lib/money";
import { count, short } from "../../lib/numbers";
import { plain } from "../../lib/plain";
import { useAllOps } from "../../queries/run";
import { useGo } from "../../stores/navigation";
import styles from "./CostTab.module.css";
import { type CostSum, costByModel, costByStep } from "./cost";

/** What the run cost, by model and by step. */
export function CostTab({ run, live }: { run: string; live: boolean }) {
  const query = useAllOps(run, live);
  return (
    <div className={styles.cost}>
      <Loaded query={query} what="the run's costs" lines={8}>
        {(view) => <Costs view={view} />}
      </Loaded>
    </div>
  );
}

const TOKENS = [
  ["input", "Input"],
  ["output", "Output"],
  ["cache_read", "Cache read"],
  ["cache_write", "Cache written"],
] as const;

const MODEL_COLUMNS: readonly Column<CostSum>[] = [
  { id: "model", title: "Model", cell: (row) => plain(row.key) },
  { id: "requests", title: "Requests", numeric: true, cell: (row) => count(row.usage.requests) },
  ...TOKENS.map(
    ([id, title]): Column<CostSum> => ({
      id,
      title,
      numeric: true,
      cell: (row) => <span title={count(row.usage[id])}>{short(row.usage[id])}</span>,
    }),
  ),
  {
    id: "cost",
    title: "Cost",
    numeric: true,
    cell: (row) => <Money usd={row.usd} partly={row.unpriced > 0} />,
  },
];

function Costs({ view }: { view: RunView }) {
  const models = useMemo(() => costByModel(view.ops), [view.ops]);
  const steps = useMemo(() => costByStep(view.ops), [view.ops]);
  if (steps.length === 0) {
    return (
      <EmptyState icon={<Receipt />} title="Nothing was spent yet">
        Each model call is booked here with its tokens and what it cost.
      </EmptyState>
    );
  }
  return (
    <>
      <Section title="Total">
        <Facts
          facts={[
            [
              "Cost",
              <Money
                key="cost"
                usd={view.cost_usd}
                unsettled={view.unsettled_cost_usd}
                partly={view.unpriced_requests > 0}
              />,
            ],
            ["Requests", count(view.usage.requests)],
            [
              "Tokens",
              `${count(view.usage.input)} in, ${count(view.usage.output)} out, ${count(view.usage.cache_read)} read from the cache, ${count(view.usage.cache_write)} written to it`,
            ],
            ...(view.unpriced_requests > 0
              ? [["No known price", `${count(view.unpriced_requests)} requests`] as const]
              : []),
          ]}
        />
      </Section>
      <Section title="By model">
        <Table label="Cost by model" columns={MODEL_COLUMNS} rows={models} keyOf={(r) => r.key} />
      </Section>
      <Section title="By step">
        <StepCosts run={view.id} steps={steps} />
      </Section>
    </>
  );
}

function StepCosts({ run, steps }: { run: string; steps: readonly CostSum[] }) {
  const go = useGo();
  const [current, setCurrent] = useState<string | null>(null);
  const most = Math.max(...steps.map((step) => dollars(step.usd ?? "0")), 0);
  return (
    <div
      className={styles.steps}
      style={{ height: `${Math.min(24, steps.length * 1.75 + 0.25)}rem` }}
    >
      <VirtualList
        label="Cost by step"
        items={steps}
        keyOf={(step) => step.key}
        estimate={28}
        current={current}
        onCurrent={setCurrent}
        onOpen={(step) => go({ room: "run", run, tab: "timeline", search: { step: step.key } })}
        render={(step) => (
          <div className={styles.step}>
            <span className={styles.name}>Step {step.key}</span>
            <span className={styles.bar}>
              <span
                style={{ width: `${most > 0 ? (dollars(step.usd ?? "0") / most) * 100 : 0}%` }}
              />
            </span>
            <span className={styles.tokens}>
              {short(step.usage.input + step.usage.cache_read + step.usage.cache_write)} →{" "}
              {short(step.usage.output)}
            </span>
            <span className={styles.money}>
              <Money usd={step.usd} partly={step.unpriced > 0} />
            </span>
          </div>
        )}
      />
    </div>
  );
}
