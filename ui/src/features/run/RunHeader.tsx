import { Sparkline } from "../../components/charts";
import { Countdown, Money, RelativeTime } from "../../components/figures";
import { useLowWindow } from "../../components/media";
import { BudgetBar, Progress } from "../../components/Progress";
import type { RunView } from "../../ipc/bindings";
import { dollars, formatUsd } from "../../lib/money";
import { baseName, count, plural, short } from "../../lib/numbers";
import { oneLine, plain } from "../../lib/plain";
import { duration, wholeSeconds } from "../../lib/time";
import { useCall } from "../../queries/call";
import { isEnded, isLive } from "../../queries/run-words";
import styles from "./RunHeader.module.css";

/** Where the run is: who answers, what it has used of what it may, when it was last heard. */
export function RunHeader({ view }: { view: RunView }) {
  const ended = isEnded(view.state);
  // What the run did must have room below it.
  const low = useLowWindow();
  return (
    <div className={styles.header}>
      <p className={styles.line}>
        <span title={plain(view.project)}>{baseName(view.project)}</span>
        <span>
          {view.backend} · <Models view={view} />
        </span>
        <span>{plural(view.steps, "step")}</span>
        {view.attempts > 1 && <span>{plural(view.attempts, "attempt")}</span>}
        <span>
          {ended ? "Ended" : "Started"}{" "}
          <RelativeTime
            at={ended ? view.ended_at : (view.started_at ?? view.created_at)}
            never="not yet"
          />
        </span>
        <Heartbeat view={view} />
      </p>
      {!ended && (view.detail || view.until) && (
        <p className={styles.detail}>
          {view.detail && plain(view.detail)}
          {view.until && (
            <>
              {" "}
              Ends <Countdown until={view.until} />.
            </>
          )}
        </p>
      )}
      {isLive(view.state) && <Now view={view} />}
      {low ? (
        <details className={styles.fold}>
          <summary>
            Budgets: <Cost view={view} />, <Elapsed view={view} />
          </summary>
          <Budgets view={view} />
        </details>
      ) : (
        <Budgets view={view} />
      )}
    </div>
  );
}

/** Which models really answered; the one that was asked for where none has yet. */
function Models({ view }: { view: RunView }) {
  if (view.answered_by.length === 0) {
    return <span title="None has answered yet">{view.model ?? "its default model"}</span>;
  }
  return <span title="These models answered">{view.answered_by.join(", ")}</span>;
}

const BEAT_SECONDS = 600;
const BEATS = 60;
const BEAT_MS = 10_000;

function Heartbeat({ view }: { view: RunView }) {
  const live = isLive(view.state);
  const beat = useCall(
    "activity",
    { run: view.id, buckets: BEATS, seconds: BEAT_SECONDS },
    { enabled: !isEnded(view.state), everyMs: live ? BEAT_MS : 6 * BEAT_MS },
  );
  if (isEnded(view.state)) return null;
  const events = beat.data?.events ?? [];
  const sum = events.reduce((a, b) => a + b, 0);
  return (
    <span className={styles.beat}>
      {events.length > 0 && (
        <Sparkline values={events} label={`${plural(sum, "event")} in the last 10 minutes`} />
      )}
      <span>
        last sign of life <RelativeTime at={view.updated_at} />
      </span>
    </span>
  );
}

function Now({ view }: { view: RunView }) {
  const { now, done, total } = view.progress;
  if (!now && total === 0) return null;
  return (
    <div className={styles.now}>
      {now && <span className={styles.nowWords}>Now: {oneLine(now, 200)}</span>}
      {total > 0 && (
        <span className={styles.plan}>
          <Progress label="The agent's plan" value={done} max={total} />
          {done} of {total}
        </span>
      )}
    </div>
  );
}

function Budgets({ view }: { view: RunView }) {
  const { budget } = view;
  return (
    <div className={styles.budgets}>
      <BudgetBar
        label="Cost"
        // Not the budget's own figure: that holds the worst case set aside for the call that runs.
        used={dollars(view.cost_usd) + dollars(view.unsettled_cost_usd)}
        max={budget.max_cost_usd === null ? null : dollars(budget.max_cost_usd)}
        words={<Cost view={view} />}
      />
      <BudgetBar
        label="Tokens"
        used={budget.used_tokens}
        max={budget.max_tokens}
        words={of(budget.used_tokens, budget.max_tokens, short)}
      />
      <BudgetBar
        label="Tool calls"
        used={budget.used_tool_calls}
        max={budget.max_tool_calls}
        words={of(budget.used_tool_calls, budget.max_tool_calls, count)}
      />
      <BudgetBar
        label="Active time"
        used={budget.used_duration_s}
        max={budget.max_duration_s}
        words={<Elapsed view={view} />}
      />
    </div>
  );
}

function Cost({ view }: { view: RunView }) {
  const { max_cost_usd } = view.budget;
  const partly = view.unpriced_requests > 0;
  return (
    <>
      <Money usd={view.cost_usd} unsettled={view.unsettled_cost_usd} partly={partly} />
      {max_cost_usd !== null && ` of ${formatUsd(max_cost_usd)}`}
    </>
  );
}

const of = (used: number, max: number | null, words: (value: number) => string): string =>
  max === null ? words(used) : `${words(used)} of ${words(max)}`;

function Elapsed({ view }: { view: RunView }) {
  const { used_duration_s, max_duration_s } = view.budget;
  return (
    <>
      {wholeSeconds(used_duration_s)}
      {max_duration_s !== null && ` of ${duration(max_duration_s * 1000)}`}
    </>
  );
}
