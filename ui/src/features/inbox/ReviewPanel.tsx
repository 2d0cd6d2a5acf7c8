import {
  Bot,
  CircleAlert,
  CirclePlay,
  Clock,
  Hourglass,
  type LucideIcon,
  MessageSquare,
  ShieldQuestionMark,
  Wrench,
} from "lucide-react";
import { memo, useLayoutEffect, useRef } from "react";
import { Badge } from "../../components/Badge";
import { cx } from "../../components/cx";
import { Countdown, Money, RelativeTime } from "../../components/figures";
import { useLowWindow } from "../../components/media";
import { Notice, Skeleton } from "../../components/states";
import type { OpDetail, ReviewDetail, ReviewView } from "../../ipc/bindings";
import { baseName } from "../../lib/numbers";
import { oneLine, plain } from "../../lib/plain";
import { type EntryKind, entryLine } from "../../queries/entry-words";
import { useReviewDetail } from "../../queries/reviews";
import { stateWords } from "../../queries/run-words";
import { PlaceLink } from "../../stores/navigation";
import { AskedView } from "./AskedView";
import { kindWords, labelOf } from "./kinds";
import styles from "./ReviewPanel.module.css";

/** Everything one needs to decide: the list's own words at once, what stands around them soon. */
export function ReviewPanel(props: { review: ReviewView; footer: React.ReactNode }) {
  const { review } = props;
  const detail = useReviewDetail(review.id);
  const around = detail.data?.review.id === review.id ? detail.data : undefined;
  const panel = useRef<HTMLElement>(null);
  const low = useLowWindow();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another review is read from its top
  useLayoutEffect(() => {
    if (low) panel.current?.scrollTo(0, 0);
  }, [low, review.id]);
  return (
    <article ref={panel} className={styles.panel} aria-label={oneLine(review.title, 120)}>
      <div className={styles.scroll} key={review.id}>
        <Content review={review} around={around} failed={detail.error?.message} />
      </div>
      {props.footer}
    </article>
  );
}

const Content = memo(function Content(props: {
  review: ReviewView;
  around: ReviewDetail | undefined;
  failed: string | undefined;
}) {
  const { review, around } = props;
  return (
    <div className={styles.content}>
      <Head review={review} around={around} />
      <Outcome review={review} />
      <Why review={review} op={around?.op ?? null} />
      <section className={styles.part} aria-label="What is asked">
        <AskedView review={review} op={around?.op ?? null} />
      </section>
      <Before around={around} failed={props.failed} />
    </div>
  );
});

function Head({ review, around }: { review: ReviewView; around: ReviewDetail | undefined }) {
  const { icon: Icon, name } = kindWords(review.kind);
  const run = around?.run;
  return (
    <header className={styles.head}>
      <div className={styles.meta}>
        <Badge tone="warn">
          <Icon size={12} aria-hidden="true" /> {name}
        </Badge>
        <PlaceLink to={{ room: "run", run: review.run }}>
          {oneLine(review.run_title ?? review.run, 80)}
        </PlaceLink>
        <span title={plain(review.run_project)}>{baseName(review.run_project)}</span>
        {run && <span>{stateWords(run)}</span>}
        {run?.simulated && <Badge title="A scripted model answers">Simulated</Badge>}
      </div>
      <h2>{plain(review.title)}</h2>
      <div className={styles.meta}>
        <span>
          Asked <RelativeTime at={review.requested_at} />
        </span>
        <span>
          Cost so far{" "}
          <Money usd={review.run_cost_usd} unsettled={run?.unsettled_cost_usd ?? null} />
        </span>
        {run && (run.answered_by.at(-1) ?? run.model) && (
          <span>
            {run.backend} · {run.answered_by.at(-1) ?? run.model}
          </span>
        )}
        {review.expires_at && !review.snoozed_until && (
          <span title="Nothing is approved or refused then: its run stops, and asks again when it is resumed">
            Expires <Countdown until={review.expires_at} />
          </span>
        )}
        {review.snoozed_until && (
          <span>
            Snoozed, comes back <Countdown until={review.snoozed_until} />
          </span>
        )}
      </div>
    </header>
  );
}

/** Who decided what, where somebody did. */
function Outcome({ review }: { review: ReviewView }) {
  const { answer } = review;
  if (review.state === "withdrawn") {
    return (
      <Notice title="No longer needs deciding">
        {review.withdrawn ? plain(review.withdrawn) : null}
      </Notice>
    );
  }
  if (review.state === "expired") {
    return (
      <Notice title="Nobody answered in time">
        It expired <RelativeTime at={review.ended_at} />. Nothing was approved or refused.{" "}
        <PlaceLink to={{ room: "run", run: review.run }}>Resume the run</PlaceLink> to be asked
        again.
      </Notice>
    );
  }
  if (!answer) return null;
  return (
    <Notice
      tone={answer.choice === "reject" ? "plain" : "good"}
      title={labelOf(review, answer.choice)}
    >
      through {answer.by}, <RelativeTime at={answer.at} />
      {answer.note && <p className={styles.prose}>“{plain(answer.note)}”</p>}
      {answer.edited && <p className={styles.prose}>{plain(answer.edited)}</p>}
    </Notice>
  );
}

function Why({ review, op }: { review: ReviewView; op: OpDetail | null }) {
  const rule = op?.rule && op.rule !== review.why ? op.rule : null;
  return (
    <section className={styles.why} aria-label="Why it was flagged">
      <h3 className={styles.label}>Why it is here</h3>
      <p>{plain(review.why)}</p>
      {rule && <p className={styles.faint}>Rule: {plain(rule)}</p>}
      {op?.op.class === "at-most-once" && (
        <p className={styles.faint}>If it is interrupted, it is never repeated by itself.</p>
      )}
    </section>
  );
}

const ICONS: Record<EntryKind, LucideIcon> = {
  message: MessageSquare,
  model: Bot,
  tool: Wrench,
  review: ShieldQuestionMark,
  wait: Hourglass,
  trouble: CircleAlert,
  run: CirclePlay,
};

function Before(props: { around: ReviewDetail | undefined; failed: string | undefined }) {
  const { around, failed } = props;
  if (!around) {
    return failed ? (
      <Notice title="What happened before could not be read">{failed}</Notice>
    ) : (
      <Skeleton lines={3} label="Reading what happened before…" />
    );
  }
  if (around.before.length === 0) return null;
  return (
    <section className={styles.part} aria-label="What happened just before">
      <h3 className={styles.label}>
        <Clock size={12} aria-hidden="true" /> Just before
      </h3>
      <ul className={styles.before}>
        {around.before.map((entry) => {
          const { kind, text } = entryLine(entry, 400);
          const Icon = ICONS[kind];
          return (
            <li key={entry.seq}>
              <Icon size={14} aria-hidden="true" />
              <span className={cx(styles.text, kind === "trouble" && styles.trouble)} title={text}>
                {text}
              </span>
              <span className={styles.faint}>
                <RelativeTime at={entry.at} />
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
