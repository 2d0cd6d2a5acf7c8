import { Undo2 } from "lucide-react";
import { useAction } from "../../actions/registry";
import { Button } from "../../components/Button";
import { useNow } from "../../components/clock";
import type { ReviewView } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { useReviews } from "../../queries/reviews";
import { type Held, useDecider, useDecisions } from "./decisions";
import { labelOf } from "./kinds";
import styles from "./UndoBar.module.css";

interface Undoable {
  id: string;
  title: string;
  choice: string;
  until: number;
  effectiveAt: string | null;
}

/** Decisions of this window, and those of others (or of this window before a reload). */
export function undoable(
  held: ReadonlyMap<string, Held>,
  reviews: readonly ReviewView[],
  now: number,
): Undoable[] {
  const all = [...held.values()].map(
    (h): Undoable => ({
      id: h.review.id,
      title: h.review.title,
      choice: labelOf(h.review, h.choice),
      until: h.until,
      effectiveAt: h.effectiveAt,
    }),
  );
  for (const review of reviews) {
    if (review.state !== "decided" || !review.effective_at || held.has(review.id)) continue;
    all.push({
      id: review.id,
      title: review.title,
      choice: labelOf(review, review.answer?.choice ?? ""),
      until: Date.parse(review.effective_at),
      effectiveAt: review.effective_at,
    });
  }
  return all.filter((u) => u.until > now).sort((a, b) => a.until - b.until);
}

/** What can still be taken back, quietly, for as long as it can. */
export function UndoBar() {
  const held = useDecisions((s) => s.held);
  const queue = useReviews("queue");
  const now = useNow(1);
  const { undo } = useDecider();
  const items = undoable(held, queue.data?.reviews ?? [], Math.min(now, Date.now()));
  const latest = items.at(-1);
  useAction("app.undo", latest ? { run: () => undo(items) } : null);
  if (!latest) return null;
  const seconds = Math.max(1, Math.ceil((latest.until - Date.now()) / 1000));
  return (
    <section className={styles.bar} aria-label="Decisions that can be undone">
      <span className={styles.words}>
        {items.length === 1 ? (
          <>
            <strong>{latest.choice}</strong> · {oneLine(latest.title, 60)}
          </>
        ) : (
          <strong>{plural(items.length, "decision")}</strong>
        )}
      </span>
      <span className={styles.time}>takes effect in {seconds} s</span>
      <Button small look="quiet" icon={<Undo2 size={16} />} keys="u" onPress={() => undo(items)}>
        Undo
      </Button>
      <span
        key={`${latest.id}-${latest.until}`}
        className={styles.line}
        style={{ animationDuration: `${Math.max(0, latest.until - Date.now())}ms` }}
        aria-hidden="true"
      />
    </section>
  );
}
