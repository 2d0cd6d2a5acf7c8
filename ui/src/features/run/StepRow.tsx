import { memo, useMemo } from "react";
import { Badge } from "../../components/Badge";
import { cx } from "../../components/cx";
import { Duration, Money, RelativeTime } from "../../components/figures";
import type { StepView } from "../../ipc/bindings";
import { sumUsd } from "../../lib/money";
import { short } from "../../lib/numbers";
import { LiveText } from "./LiveText";
import styles from "./Timeline.module.css";
import { TimelineItemView } from "./TimelineItemView";
import { timelineOf } from "./timeline";

/** One step of the timeline, or its shape until it is read. */
export const StepRow = memo(function StepRow(props: {
  run: string;
  index: number;
  step: StepView | undefined;
  last: boolean;
  live: boolean;
}) {
  const { step, index, run } = props;
  const items = useMemo(() => (step ? timelineOf(step) : []), [step]);
  if (!step) {
    return (
      <div className={styles.unread}>
        <h3 className={styles.stepTitle}>
          {index === 0 ? "Before the first step" : `Step ${index}`}
        </h3>
        <span className={styles.bone} />
        <span className={styles.bone} />
        <span className="hidden-words">Not read yet</span>
      </div>
    );
  }
  return (
    <div className={cx(styles.stepBody, step.undone && styles.undone)}>
      <header className={styles.stepHead}>
        <h3 className={styles.stepTitle}>
          {index === 0 ? "Before the first step" : `Step ${index}`}
        </h3>
        {step.undone && (
          <Badge title="The run went back to before this step. What was said and changed in it no longer counts.">
            Undone
          </Badge>
        )}
        <RelativeTime at={step.at} />
        {index > 0 && (
          <Duration from={step.at} to={step.ended_at ?? (props.live ? null : lastHeard(step))} />
        )}
        <StepFigures step={step} />
      </header>
      <div className={styles.items}>
        {items.map((item) => (
          <TimelineItemView key={item.key} run={run} item={item} />
        ))}
        {step.truncated && (
          <p className={styles.faint}>
            This step has more entries than are shown here; Details has all of them.
          </p>
        )}
        {props.live && <LiveText run={run} />}
      </div>
    </div>
  );
});

/** A run that was stopped in mid-step did not work on until now. */
function lastHeard(step: StepView): string {
  return step.entries.at(-1)?.at ?? step.at;
}

function StepFigures({ step }: { step: StepView }) {
  const costs = step.ops.map((op) => op.cost_usd).filter((usd) => usd !== null);
  let tokens = 0;
  for (const op of step.ops) {
    if (op.tokens) tokens += op.tokens.input + op.tokens.output + op.tokens.cache_write;
  }
  if (tokens === 0 && costs.length === 0) return null;
  return (
    <span className={styles.stepFigures}>
      {tokens > 0 && <span title="Tokens without cache reads">{short(tokens)} tokens</span>}
      {costs.length > 0 && <Money usd={sumUsd(costs)} />}
    </span>
  );
}
