import { History } from "lucide-react";
import { useMemo, useState } from "react";
import { Badge, type Tone } from "../../components/Badge";
import { Button } from "../../components/Button";
import { Select, TextField } from "../../components/fields";
import { RelativeTime } from "../../components/figures";
import { EmptyState, ErrorState, Skeleton } from "../../components/states";
import type { ReviewView } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { useReviewHistory } from "../../queries/reviews";
import { PlaceLink } from "../../stores/navigation";
import styles from "./HistoryTab.module.css";
import { kindWords, labelOf } from "./kinds";

const FILTERS = [
  { id: "decided", label: "All decisions" },
  { id: "approve", label: "Approved" },
  { id: "reject", label: "Rejected" },
  { id: "other", label: "Answered otherwise" },
  { id: "withdrawn", label: "Withdrawn" },
  { id: "expired", label: "Expired" },
] as const;
type FilterId = (typeof FILTERS)[number]["id"];

function fits(review: ReviewView, filter: FilterId, words: string): boolean {
  const choice = review.answer?.choice;
  const isKind =
    filter === "withdrawn" || filter === "expired"
      ? review.state === filter
      : filter === "other"
        ? choice !== undefined && choice !== "approve" && choice !== "reject"
        : filter === "decided" || choice === filter;
  if (!isKind || review.state === "open") return false;
  const text = words.trim().toLowerCase();
  if (!text) return true;
  return [review.title, review.run_title ?? "", review.run_project, review.answer?.note ?? ""].some(
    (value) => value.toLowerCase().includes(text),
  );
}

/** Every decision there ever was, newest first. */
export function HistoryTab() {
  const [filter, setFilter] = useState<FilterId>("decided");
  const [words, setWords] = useState("");
  const history = useReviewHistory(
    filter === "withdrawn" || filter === "expired" ? "all" : "decided",
  );
  const read = useMemo(() => history.data?.pages.flatMap((p) => p.reviews) ?? [], [history.data]);
  const shown = useMemo(() => read.filter((r) => fits(r, filter, words)), [read, filter, words]);
  const isFiltering = words.trim() !== "" || filter !== "decided";
  return (
    <div className={styles.history}>
      <div className={styles.filters}>
        <TextField
          label="Filter the history"
          labelHidden
          placeholder="Title, run, project or note"
          value={words}
          onChange={setWords}
        />
        <Select
          label="Which decisions"
          labelHidden
          options={FILTERS}
          value={filter}
          onChange={(id) => setFilter(FILTERS.find((f) => f.id === id)?.id ?? "decided")}
        />
      </div>
      <div className={styles.scroll}>
        {history.isPending && <Skeleton lines={8} label="Reading the history…" />}
        {history.isError && read.length === 0 && (
          <ErrorState
            title="Could not read the history"
            error={history.error}
            onRetry={() => void history.refetch()}
          />
        )}
        {history.isSuccess && shown.length === 0 && (
          <EmptyState
            icon={<History />}
            title={isFiltering ? "Nothing here fits" : "Nothing was decided yet"}
          >
            {isFiltering
              ? `None of the ${plural(read.length, "decision")} read so far.`
              : "Every decision will be kept here: what was asked, who decided, and when."}
          </EmptyState>
        )}
        {shown.length > 0 && (
          <ul aria-label="Decisions" className={styles.list}>
            {shown.map((review) => (
              <Decision key={review.id} review={review} />
            ))}
          </ul>
        )}
        {history.hasNextPage && (
          <div className={styles.more}>
            <span className={styles.soft}>
              {isFiltering
                ? `Only the newest ${plural(read.length, "decision")} were looked through`
                : `${plural(read.length, "decision")} read`}
            </span>
            <Button
              small
              onPress={() => void history.fetchNextPage()}
              isDisabled={history.isFetchingNextPage}
            >
              {history.isFetchingNextPage
                ? "Reading…"
                : isFiltering
                  ? "Look through older ones"
                  : "Read older ones"}
            </Button>
          </div>
        )}
      </div>
    </div>
  );
}

const ENDS = { withdrawn: "Withdrawn", expired: "Expired" } as const;

function toneOf(review: ReviewView): Tone {
  if (review.state === "withdrawn" || review.state === "expired") return "calm";
  if (review.answer?.choice === "approve") return "good";
  return review.answer?.choice === "reject" ? "bad" : "accent";
}

function Decision({ review }: { review: ReviewView }) {
  const { icon: Icon, name } = kindWords(review.kind);
  const { answer } = review;
  return (
    <li className={styles.row}>
      <Icon size={16} className={styles.icon} aria-hidden="true" />
      <div className={styles.what}>
        <PlaceLink className={styles.title} to={{ room: "inbox", review: review.id }}>
          {oneLine(review.title, 160)}
        </PlaceLink>
        <span className={styles.soft}>
          {name} · {oneLine(review.run_title ?? review.run, 60)}
          {answer?.note && answer.note !== answer.choice && ` · “${oneLine(answer.note, 120)}”`}
          {answer?.edited && " · edited first"}
          {review.withdrawn && ` · ${oneLine(review.withdrawn, 120)}`}
        </span>
      </div>
      <span className={styles.choice}>
        <Badge tone={toneOf(review)}>
          {review.state === "withdrawn" || review.state === "expired"
            ? ENDS[review.state]
            : oneLine(labelOf(review, answer?.choice ?? ""), 30)}
        </Badge>
      </span>
      <span className={styles.when}>
        <RelativeTime at={answer?.at ?? review.ended_at ?? review.requested_at} />
        {answer && <span className={styles.soft}>through {answer.by}</span>}
      </span>
    </li>
  );
}
