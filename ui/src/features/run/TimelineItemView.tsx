import {
  ArrowLeftRight,
  Flag,
  Hourglass,
  ListChecks,
  type LucideIcon,
  MessageSquare,
  OctagonAlert,
  Receipt,
  ShieldQuestionMark,
  Undo2,
  Zap,
} from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "../../components/cx";
import { Countdown, Duration, Money, RelativeTime } from "../../components/figures";
import { oneLine, plain } from "../../lib/plain";
import { exact } from "../../lib/time";
import { causeWords } from "../../queries/run-words";
import { PlaceLink } from "../../stores/navigation";
import { openTravel, type TravelHow } from "../../stores/travel";
import { CallView } from "./CallView";
import { Said } from "./Said";
import styles from "./Timeline.module.css";
import type { CheckpointItem, ReviewItem, TimelineItem, WaitItem } from "./timeline";
import { originWords, timeOfDay, waitedWords, waitWords } from "./words";

/** A line of the timeline: an icon, what happened, when. */
export function Line(props: {
  icon: LucideIcon;
  at: string;
  tone?: "calm" | "warn" | "bad" | "good" | undefined;
  children: ReactNode;
}) {
  const Icon = props.icon;
  return (
    <div className={cx(styles.line, props.tone && styles[props.tone])}>
      <Icon className={styles.icon} size={16} aria-hidden="true" />
      <div className={styles.lineBody}>{props.children}</div>
      <time className={styles.at} dateTime={props.at} title={exact(props.at)}>
        {timeOfDay(props.at)}
      </time>
    </div>
  );
}

/** One item of a step. */
export function TimelineItemView({ run, item }: { run: string; item: TimelineItem }) {
  switch (item.type) {
    case "call":
      return <CallView run={run} item={item} />;
    case "review":
      return <ReviewLine item={item} />;
    case "wait":
      return <WaitLine item={item} />;
    case "message":
      return (
        <Line icon={MessageSquare} at={item.at}>
          <strong>{originWords(item.origin)}</strong>
          <Said run={run} id={item.key} text={item.text} />
        </Line>
      );
    case "briefing":
      return (
        <Line icon={Flag} at={item.at} tone="warn">
          <strong>Recovery briefing</strong>
          <Said run={run} id={item.key} text={item.text} />
        </Line>
      );
    case "checkpoint":
      return <CheckpointLine run={run} item={item} />;
    case "interrupted":
      return (
        <Line icon={OctagonAlert} at={item.at} tone="warn">
          <strong>Interrupted: {causeWords(item.cause)}</strong>
          {item.detail && <p className={styles.prose}>{plain(item.detail)}</p>}
          <p className={styles.faint}>
            Last sign of life <RelativeTime at={new Date(item.lastAlive).toISOString()} />
          </p>
        </Line>
      );
    case "switch":
      return (
        <Line icon={ArrowLeftRight} at={item.at} tone="warn">
          <strong>
            {item.backend}
            {item.model && ` · ${item.model}`} answers from here on
          </strong>
          <p className={styles.prose}>{plain(item.why)}</p>
        </Line>
      );
    case "plan":
      return (
        <Line icon={ListChecks} at={item.at}>
          <strong>Plan</strong>
          <ul className={styles.plan}>
            {item.items.map((step, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a plan is replaced whole
              <li key={i} className={styles[step.state]}>
                <span aria-hidden="true">
                  {{ done: "✓", active: "▸", pending: "·" }[step.state]}
                </span>
                <span className="hidden-words">{step.state}: </span>
                {plain(step.text)}
              </li>
            ))}
          </ul>
        </Line>
      );
    case "charge":
      return (
        <Line icon={Receipt} at={item.at}>
          <span className={styles.faint}>
            Reported by the agent: {plain(item.charge.model)} · <Money usd={item.charge.cost} />
          </span>
        </Line>
      );
    case "end":
      return (
        <Line
          icon={Flag}
          at={item.at}
          tone={item.state === "completed" ? "good" : item.state === "failed" ? "bad" : "calm"}
        >
          <strong>{plain(item.title)}</strong>
          {item.text && <Said run={run} id={item.key} text={item.text} />}
        </Line>
      );
    case "note":
      return (
        <Line icon={Zap} at={item.at} tone={item.tone}>
          <span>{plain(item.text)}</span>
        </Line>
      );
  }
}

/** A point to come back to. Plain buttons: every step has such a line. */
function CheckpointLine({ run, item }: { run: string; item: CheckpointItem }) {
  const checkpoint = `cp${item.id}`;
  const button = (how: TravelHow, words: string) => (
    <button
      type="button"
      className={styles.travel}
      aria-label={`${words} (${checkpoint})`}
      onClick={() => openTravel({ run, checkpoint, how })}
    >
      {words}
    </button>
  );
  return (
    <div className={styles.checkpoint}>
      <span title={item.snapshot}>Checkpoint {item.id}</span>
      {button("resume", "Resume from here")}
      {button("fork", "Fork…")}
      {button("rollback", "Roll back to here")}
    </div>
  );
}

function WaitLine({ item }: { item: WaitItem }) {
  const over = item.endedAt !== null;
  return (
    <Line icon={Hourglass} at={item.at} tone={over ? undefined : "warn"}>
      <strong>{over ? waitedWords(item.cause) : waitWords(item.cause)}</strong>{" "}
      {over ? (
        <Duration from={item.at} to={item.endedAt} />
      ) : (
        <>
          for <Duration from={item.at} />
          {item.until !== null && (
            <>
              , ends <Countdown until={new Date(item.until).toISOString()} />
            </>
          )}
        </>
      )}
      {item.detail && <p className={styles.faint}>{plain(item.detail)}</p>}
    </Line>
  );
}

function ReviewLine({ item }: { item: ReviewItem }) {
  const { outcome } = item;
  return (
    <Line
      icon={item.reopened.length > 0 ? Undo2 : ShieldQuestionMark}
      at={item.at}
      tone={outcome.is === "open" ? "warn" : undefined}
    >
      <PlaceLink to={{ room: "inbox", review: item.review }}>{oneLine(item.title, 200)}</PlaceLink>
      <p className={styles.faint}>
        {plain(item.why)}
        {item.reopened.length > 0 && ` · taken back: ${item.reopened.join(", ")}`}
      </p>
      <p>
        {outcome.is === "open" && (
          <>
            <strong>Waits for your decision</strong> for <Duration from={item.at} />
          </>
        )}
        {outcome.is === "snoozed" && (
          <>
            Snoozed, comes back <Countdown until={new Date(outcome.until).toISOString()} />
          </>
        )}
        {outcome.is === "decided" && (
          <>
            <strong>{plain(outcome.label)}</strong> through {outcome.answer.by}, after{" "}
            <Duration from={item.at} to={outcome.at} />
            {outcome.answer.note && `: “${oneLine(outcome.answer.note, 300)}”`}
          </>
        )}
        {outcome.is === "expired" && (
          <>
            <strong>Expired</strong>: nobody answered within{" "}
            <Duration from={item.at} to={outcome.at} />. Nothing was approved or refused; resuming
            the run asks again.
          </>
        )}
        {outcome.is === "withdrawn" && `No longer needed deciding: ${plain(outcome.why)}`}
      </p>
    </Line>
  );
}
