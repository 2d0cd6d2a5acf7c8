import { useState } from "react";
import { useAction } from "../../actions/registry";
import { Button } from "../../components/Button";
import { Select, TextField } from "../../components/fields";
import { Page, Section } from "../../components/Page";
import type { CostBy, CostStack } from "../../ipc/bindings";
import { useCall } from "../../queries/call";
import { useSaveText } from "../../queries/save-text";
import { useSearch } from "../../stores/navigation";
import { toast, toastError } from "../../stores/toasts";
import { Chart } from "./Chart";
import styles from "./CostsRoom.module.css";
import { CostTable } from "./CostTable";
import { asCsv } from "./export";
import { momentsOf, RANGES, type Range, type RangeId, rangeOf } from "./range";
import { Tiles } from "./Tiles";
import { Weather } from "./Weather";

const RANGE_WORDS: Record<RangeId, string> = {
  today: "Today",
  "7": "7 days",
  "30": "30 days",
  custom: "Custom",
};

const BY: readonly { id: CostBy; label: string }[] = [
  { id: "model", label: "By model" },
  { id: "backend", label: "By backend" },
  { id: "project", label: "By project" },
  { id: "run", label: "By run" },
  { id: "day", label: "By day" },
];

const STACKS: readonly { id: CostStack; label: string }[] = [
  { id: "model", label: "Models" },
  { id: "backend", label: "Backends" },
  { id: "project", label: "Projects" },
];

const isRange = (text: string | undefined): text is RangeId =>
  (RANGES as readonly (string | undefined)[]).includes(text);

/** Where the money went. */
export function CostsRoom() {
  const [search, setSearch] = useSearch();
  // A day that ends while the room is open shows with the next visit.
  const [today] = useState(() => new Date());
  const id: RangeId = isRange(search.range) ? search.range : "7";
  const custom: Partial<Range> = {
    ...(search.from ? { from: search.from } : {}),
    ...(search.to ? { to: search.to } : {}),
  };
  const range = rangeOf(id, today, custom);
  const by = BY.find((choice) => choice.id === search.by)?.id ?? "model";
  const stack = STACKS.find((choice) => choice.id === search.stack)?.id ?? "model";
  const moments = momentsOf(range);
  const report = useCall("cost", { by, ...moments }, { keepPrevious: true });

  useAction("costs.today", () => setSearch({ range: "today" }));
  useAction("costs.week", () => setSearch({ range: "7" }));
  useAction("costs.month", () => setSearch({ range: "30" }));
  const save = useSaveText();
  const saveCsv = async () => {
    if (!report.data) return;
    const name = `longhaul-costs-by-${by}-${range.from}-${range.to}.csv`;
    try {
      if (await save(name, asCsv(report.data))) toast({ tone: "good", title: `Saved ${name}` });
    } catch (error) {
      toastError("The costs could not be saved", error);
    }
  };
  useAction("costs.export", {
    run: () => void saveCsv(),
    enabled: report.data !== undefined || "The costs are still being read",
  });

  return (
    <Page
      title="Costs"
      scrolls
      actions={<Button onPress={() => void saveCsv()}>Export as CSV</Button>}
    >
      <div className={styles.bar}>
        <RangePicker id={id} range={range} onPick={setSearch} />
      </div>
      <Tiles report={report} today={today} />
      <Section
        title="Day by day"
        actions={
          <div className={styles.pick}>
            <Select
              label="Stack the bars by"
              labelHidden
              value={stack}
              onChange={(chosen) => setSearch({ stack: chosen })}
              options={STACKS}
            />
          </div>
        }
      >
        <Chart moments={moments} stack={stack} today={today} />
      </Section>
      <Section
        title="In detail"
        actions={
          <div className={styles.pick}>
            <Select
              label="Rows stand for"
              labelHidden
              value={by}
              onChange={(chosen) => setSearch({ by: chosen })}
              options={BY}
            />
          </div>
        }
      >
        <CostTable report={report} by={by} />
      </Section>
      <Weather />
    </Page>
  );
}

function RangePicker(props: {
  id: RangeId;
  range: Range;
  onPick: (changes: Record<string, string | null>) => void;
}) {
  const { id, range, onPick } = props;
  return (
    <>
      <fieldset className={styles.ranges}>
        <legend className="hidden-words">Days</legend>
        {RANGES.map((choice) => (
          <label key={choice}>
            <input
              type="radio"
              name="range"
              checked={choice === id}
              onChange={() =>
                onPick(
                  choice === "custom"
                    ? { range: choice, from: range.from, to: range.to }
                    : { range: choice, from: null, to: null },
                )
              }
            />
            {RANGE_WORDS[choice]}
          </label>
        ))}
      </fieldset>
      {id === "custom" && (
        <>
          <TextField
            label="From"
            type="date"
            value={range.from}
            onChange={(from) => onPick({ from })}
          />
          <TextField label="To" type="date" value={range.to} onChange={(to) => onPick({ to })} />
        </>
      )}
    </>
  );
}
