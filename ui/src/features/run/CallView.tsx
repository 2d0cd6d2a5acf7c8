import {
  Bot,
  ChevronRight,
  CircleAlert,
  CircleHelp,
  FlaskConical,
  type LucideIcon,
  PackageOpen,
  Wrench,
} from "lucide-react";
import { Badge, type Tone } from "../../components/Badge";
import { CodeBlock } from "../../components/CodeBlock";
import { cx } from "../../components/cx";
import { Countdown, Duration, Money } from "../../components/figures";
import { Facts } from "../../components/Page";
import { ErrorState, Skeleton } from "../../components/states";
import type { OpView } from "../../ipc/bindings";
import { short } from "../../lib/numbers";
import { oneLine, plain } from "../../lib/plain";
import { exact } from "../../lib/time";
import { useCall } from "../../queries/call";
import { OpDetails } from "./OpDetails";
import { useFold } from "./run-state";
import { Said } from "./Said";
import styles from "./Timeline.module.css";
import type { CallItem, Retry } from "./timeline";
import { errorWords, settlementWords, timeOfDay, withoutName } from "./words";

const ICONS: Record<OpView["kind"], LucideIcon> = {
  model: Bot,
  tool: Wrench,
  verify: FlaskConical,
  setup: PackageOpen,
};

export function stateOf(op: OpView): { words: string; tone: Tone } | null {
  if (op.state === "finished") {
    return op.outcome === "error" ? { words: "failed", tone: "bad" } : null;
  }
  const states: Record<Exclude<OpView["state"], "finished">, { words: string; tone: Tone }> = {
    intended: { words: "not begun", tone: "calm" },
    started: { words: "running", tone: "busy" },
    failed: { words: "failed", tone: "bad" },
    in_doubt: { words: "in doubt", tone: "warn" },
    skipped: { words: "skipped", tone: "calm" },
  };
  return states[op.state] ?? null;
}

/** An operation: one line, its words below it, everything else folded. */
export function CallView({ run, item }: { run: string; item: CallItem }) {
  const { op } = item;
  const [open, toggle] = useFold(run, item.key);
  const Icon = ICONS[op.kind] ?? Wrench;
  const state = stateOf(op);
  const isModel = op.kind === "model";
  return (
    <div className={cx(styles.call, state?.tone === "bad" && styles.callFailed)}>
      <button type="button" className={styles.callHead} aria-expanded={open} onClick={toggle}>
        <ChevronRight
          className={cx(styles.chevron, open && styles.turned)}
          size={14}
          aria-hidden="true"
        />
        <Icon className={styles.icon} size={16} aria-hidden="true" />
        <span className={styles.callName}>{plain(op.name)}</span>{" "}
        <span className={styles.callSummary}>
          {isModel ? "" : oneLine(withoutName(op.name, op.summary), 240)}
        </span>{" "}
        <Figures op={op} />
        {state && <Badge tone={state.tone}>{state.words}</Badge>}
        {op.mode === "observed" && <Badge title="The agent only told about it">observed</Badge>}
        <time className={styles.at} dateTime={item.at} title={exact(item.at)}>
          {timeOfDay(item.at)}
        </time>
      </button>
      {item.retries.map((retry) => (
        <RetryLine key={retry.at} retry={retry} over={op.state !== "started"} />
      ))}
      {isModel && item.text && (
        <div className={styles.callText}>
          <Said run={run} id={item.key} text={item.text} />
        </div>
      )}
      {item.error && (
        <p className={styles.error}>
          <strong>{errorWords(item.error.kind)}:</strong> {plain(item.error.message)}
        </p>
      )}
      {item.settlements.map(({ at, settlement }) => (
        <p key={at} className={styles.settled}>
          <CircleHelp size={14} aria-hidden="true" /> {plain(settlementWords(settlement))}
        </p>
      ))}
      {open && <Folded run={run} item={item} />}
    </div>
  );
}

function Figures({ op }: { op: OpView }) {
  const { tokens } = op;
  return (
    <span className={styles.callFigures}>
      {tokens && (
        <span
          title={`${tokens.input} in, ${tokens.output} out, ${tokens.cache_read} read from and ${tokens.cache_write} written to the cache`}
        >
          {short(tokens.input + tokens.cache_read + tokens.cache_write)} → {short(tokens.output)}
        </span>
      )}
      {op.cost_usd !== null && <Money usd={op.cost_usd} />}
      {op.started_at && (op.ended_at || op.state === "started") && (
        <Duration from={op.started_at} to={op.ended_at} />
      )}
    </span>
  );
}

function RetryLine({ retry, over }: { retry: Retry; over: boolean }) {
  const waiting = retry.endedAt === undefined && !over;
  const due = new Date(retry.nextAt).toISOString();
  return (
    <p className={styles.retry}>
      <CircleAlert size={14} aria-hidden="true" />
      <span>
        <strong>{errorWords(retry.error.kind)}:</strong> {plain(retry.error.message)}
        {waiting ? (
          <>
            {" "}
            · tried again <Countdown until={due} />
          </>
        ) : (
          <>
            {" "}
            · tried again after <Duration from={retry.at} to={retry.endedAt ?? due} />
          </>
        )}
      </span>
    </p>
  );
}

/** Arguments, thinking and result, asked for when they are wanted. */
function Folded({ run, item }: { run: string; item: CallItem }) {
  const detail = useCall("op", { run, op: item.op.id });
  return (
    <div className={styles.folded}>
      {(item.rule || item.stop) && (
        <Facts
          facts={[
            ...(item.rule
              ? [[item.verdict === "review" ? "Flagged by" : "Rule", plain(item.rule)] as const]
              : []),
            ...(item.stop ? [["Ended with", plain(item.stop)] as const] : []),
          ]}
        />
      )}
      {detail.data ? (
        <OpDetails detail={detail.data} />
      ) : detail.error ? (
        <>
          <ErrorState
            title="Could not read the operation"
            error={detail.error}
            onRetry={() => void detail.refetch()}
          />
          {item.text && <CodeBlock text={item.text} label="Result" wrap maxHeight={20} />}
        </>
      ) : (
        <Skeleton lines={3} label="Reading the operation…" />
      )}
    </div>
  );
}
