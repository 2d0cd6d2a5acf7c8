import { Button } from "../../components/Button";
import { RelativeTime } from "../../components/figures";
import { Markdown } from "../../components/Markdown";
import { Notice } from "../../components/states";
import type { RunView } from "../../ipc/bindings";
import { oneLine, plain } from "../../lib/plain";
import { causeWords } from "../../queries/run-words";
import { useGo } from "../../stores/navigation";
import styles from "./RunRoom.module.css";
import type { RunActions } from "./use-run-actions";

/** What a person should see first: an interruption, a failure, an open question. */
export function Attention({ view, actions }: { view: RunView; actions: RunActions }) {
  const open = view.reviews.filter((review) => review.state === "open");
  const recovery = view.recovery;
  const rests = view.state === "interrupted" || view.state === "failed";
  if (open.length === 0 && !recovery && !rests) return null;
  return (
    <div className={styles.attention}>
      {view.state === "failed" && <Failed view={view} actions={actions} />}
      {recovery && <Briefing view={view} actions={actions} />}
      {view.state === "interrupted" && !recovery && (
        <Notice
          tone="warn"
          title={`Interrupted${view.cause ? `: ${causeWords(view.cause)}` : ""}`}
          action={<Resume actions={actions} />}
        >
          {view.detail && plain(view.detail)}
        </Notice>
      )}
      {open.map((review, i) => (
        <OpenReview
          key={review.id}
          id={review.id}
          title={review.title}
          why={review.why}
          asked={review.requested_at}
          first={i === 0}
        />
      ))}
    </div>
  );
}

function Resume({ actions }: { actions: RunActions }) {
  return (
    <Button
      look="primary"
      keys="shift+r"
      why={actions.why.resume}
      isDisabled={Boolean(actions.why.resume) || actions.busy}
      onPress={actions.resume}
    >
      Resume
    </Button>
  );
}

function Briefing({ view, actions }: { view: RunView; actions: RunActions }) {
  const { recovery } = view;
  if (!recovery) return null;
  const interrupted = view.state === "interrupted";
  return (
    <section className={styles.briefing} aria-label="Recovery briefing">
      <Notice
        tone={interrupted ? "warn" : "plain"}
        title={`${interrupted ? "Interrupted" : "Was interrupted"}${recovery.cause ? `: ${causeWords(recovery.cause)}` : ""}`}
        action={interrupted && <Resume actions={actions} />}
      >
        {recovery.detail && plain(recovery.detail)}{" "}
        {recovery.at && <RelativeTime at={recovery.at} />}
        {recovery.briefing && (
          <details className={styles.details} open={interrupted}>
            <summary>Recovery briefing</summary>
            <Markdown text={recovery.briefing} />
          </details>
        )}
      </Notice>
    </section>
  );
}

function Failed({ view, actions }: { view: RunView; actions: RunActions }) {
  return (
    <Notice
      tone="bad"
      title={`Failed${view.cause ? `: ${causeWords(view.cause)}` : ""}`}
      action={<Resume actions={actions} />}
    >
      {view.detail && plain(view.detail)}
      <p>What it did is kept. Say what to do differently below, or resume it as it is.</p>
      {view.partial_result && (
        <details className={styles.details}>
          <summary>What there is so far</summary>
          <Markdown text={view.partial_result} />
        </details>
      )}
    </Notice>
  );
}

function OpenReview(props: {
  id: string;
  title: string;
  why: string;
  asked: string;
  first: boolean;
}) {
  const go = useGo();
  return (
    <Notice
      tone="warn"
      title={oneLine(props.title, 200)}
      action={
        <Button
          look="primary"
          keys={props.first ? "i" : undefined}
          onPress={() => go({ room: "inbox", review: props.id })}
        >
          Decide
        </Button>
      }
    >
      {plain(props.why)} · asked <RelativeTime at={props.asked} />
    </Notice>
  );
}
