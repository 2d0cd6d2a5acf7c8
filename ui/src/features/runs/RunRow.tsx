import { memo } from "react";
import { Badge, StatePill } from "../../components/Badge";
import { cx } from "../../components/cx";
import { Countdown, Money, RelativeTime } from "../../components/figures";
import { BudgetBar } from "../../components/Progress";
import type { RunSummary } from "../../ipc/bindings";
import { dollars, formatUsd } from "../../lib/money";
import { baseName, plural } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { wholeSeconds } from "../../lib/time";
import { isEnded, isLive, stateTone, stateWords } from "../../queries/run-words";
import styles from "./RunsRoom.module.css";

/** One run in the list. Holds nothing that takes focus: the list has it. */
export const RunRow = memo(function RunRow({
  run,
  selected,
}: {
  run: RunSummary;
  selected: boolean;
}) {
  const model = run.answered_by.at(-1) ?? run.model;
  return (
    <div className={cx(styles.row, selected && styles.chosen)}>
      <div className={styles.state}>
        <StatePill tone={stateTone(run)} moving={isLive(run.state)}>
          {stateWords(run)}
        </StatePill>
        {run.until && !isEnded(run.state) && (
          <span className={styles.soft}>
            <Countdown until={run.until} />
          </span>
        )}
      </div>
      <div className={styles.what}>
        <div className={styles.title}>
          <span className={styles.cut}>{oneLine(run.title, 200)}</span>
          {run.open_reviews > 0 && <Badge tone="warn">{plural(run.open_reviews, "review")}</Badge>}
          {run.simulated && <Badge title="A scripted model answers">Simulated</Badge>}
        </div>
        <div className={styles.soft}>
          <span title={run.project}>{baseName(run.project)}</span>
          {" · "}
          {run.backend}
          {model && ` · ${model}`}
          {detailOf(run)}
        </div>
      </div>
      <div className={styles.figures}>
        <BudgetOf run={run} />
        <span className={styles.soft}>
          {plural(run.steps, "step")} · {wholeSeconds(run.used_duration_s)}
        </span>
      </div>
      <div className={styles.when}>
        <RelativeTime at={run.ended_at ?? run.heard_at} />
        <span className={styles.soft}>{run.ended_at ? "ended" : "last sign of life"}</span>
      </div>
    </div>
  );
});

function detailOf(run: RunSummary): string {
  const words = isLive(run.state) ? run.now : isEnded(run.state) ? null : run.detail;
  return words ? ` · ${oneLine(words, 120)}` : "";
}

function BudgetOf({ run }: { run: RunSummary }) {
  if (run.max_cost_usd === null || isEnded(run.state)) {
    return <Money usd={run.cost_usd} unsettled={run.unsettled_cost_usd} />;
  }
  return (
    <BudgetBar
      small
      label={`Cost of ${oneLine(run.title, 60)}`}
      used={dollars(run.cost_usd) + dollars(run.unsettled_cost_usd)}
      max={dollars(run.max_cost_usd)}
      words={
        <>
          <Money usd={run.cost_usd} unsettled={run.unsettled_cost_usd} /> of{" "}
          {formatUsd(run.max_cost_usd)}
        </>
      }
    />
  );
}
