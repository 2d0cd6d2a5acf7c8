import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { isArmed, useArming } from "../../actions/arming";
import { SplitPane } from "../../components/SplitPane";
import { ErrorState, Skeleton } from "../../components/states";
import { useSteady } from "../../components/steady";
import type { ReviewView } from "../../ipc/bindings";
import { useReadAhead, useReviewDetail } from "../../queries/reviews";
import { useWhyNot } from "../../stores/connection";
import { BulkBar, SameBar } from "./BulkBar";
import { type Extras, useDecider } from "./decisions";
import { Footer, type FormName } from "./Footer";
import styles from "./InboxRoom.module.css";
import { select, useInboxState } from "./inbox-state";
import { kindWords, offers } from "./kinds";
import { QueueList } from "./QueueList";
import {
  type Grouping,
  groupQueue,
  keepSelection,
  moved,
  orderOf,
  ruleOf,
  sameAs,
  sameRuleAs,
} from "./queue";
import { ReviewPanel } from "./ReviewPanel";
import { useInboxActions } from "./use-inbox-actions";
import { useSnooze } from "./use-snooze";

/** Master and detail over some reviews, with every key of the inbox. */
export function Queue(props: {
  reviews: readonly ReviewView[];
  /** The review the address names. */
  asked: string | null;
  grouping: Grouping;
  empty: ReactNode;
}) {
  const { reviews, grouping } = props;
  const why = useWhyNot();
  const { decide } = useDecider();
  const snooze = useSnooze();
  const readAhead = useReadAhead();

  const groups = useMemo(
    () => groupQueue(reviews, grouping, (r) => titleOf(r, grouping)),
    [reviews, grouping],
  );
  const order = useMemo(() => orderOf(groups), [groups]);
  const { selected, moveTo } = useSelection(order, props.asked);
  const review = reviews.find((r) => r.id === selected) ?? null;
  // A link may lead to a review that is over, or snoozed: it is shown, though not in the list.
  const linked = useReviewDetail(review ? null : selected);

  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [form, setForm] = useState<{ name: FormName; review: string } | null>(null);
  const [focusCall, setFocusCall] = useState(0);
  const focusList = useCallback(() => setFocusCall((n) => n + 1), []);
  const snoozeButton = useRef<HTMLSpanElement>(null);
  const openForm = form !== null && form.review === selected ? form.name : null;

  useArming(selected);

  const next = order[order.indexOf(selected ?? "") + 1];
  useEffect(() => (next ? readAhead(next) : undefined), [next, readAhead]);

  /** What a key is about: the chosen items, or the one under the cursor. */
  const meant = useMemo(() => {
    const some = reviews.filter((r) => chosen.has(r.id));
    return some.length > 0 ? some : review ? [review] : [];
  }, [reviews, chosen, review]);

  // By rule only where somebody looks at them so: what they ask for differs.
  const byRule = grouping === "rule";
  const equals = useMemo(
    () => (byRule ? sameRuleAs(review, reviews) : sameAs(review, reviews)),
    [byRule, review, reviews],
  );
  // As they are now: what comes in later and asks the same is not among them.
  const chooseEquals = () => setChosen(new Set(equals.map((r) => r.id)));

  const leave = (gone: readonly ReviewView[]) => {
    const ids = new Set(gone.map((r) => r.id));
    moveTo(
      keepSelection(
        selected,
        order,
        order.filter((id) => !ids.has(id)),
      ),
    );
    setChosen((before) => (before.size > 0 ? new Set() : before));
    setForm(null);
    focusList();
  };

  const choose = (choice: string, extras: Extras = {}) => {
    // Also for the pointer: after a decision another item stands under the same button.
    if (why || !isArmed()) return;
    const forAll = choice === "approve" || choice === "reject";
    const answers = forAll ? meant.filter((r) => offers(r, choice)) : review ? [review] : [];
    decide(answers, choice, extras);
    leave(answers);
  };

  const press = (choice: string) => {
    if (choice === "more") open("more");
    else choose(choice);
  };
  const open = (name: FormName) => {
    if (selected) setForm({ name, review: selected });
  };
  const close = () => {
    setForm(null);
    focusList();
  };
  const postpone = (seconds: number) => {
    snooze(meant, seconds);
    leave(meant);
  };

  const step = (by: number) => {
    moveTo(moved(selected, order, by));
    focusList();
  };
  const toggle = useCallback(
    (id: string) =>
      setChosen((before) => {
        const after = new Set(before);
        if (!after.delete(id)) after.add(id);
        return after;
      }),
    [],
  );

  const on = {
    onChoose: useSteady(press),
    onSend: useSteady(choose),
    onOpen: useSteady(open),
    onClose: useSteady(close),
    onSnooze: useSteady(postpone),
    onAlways: useSteady(() => leave(review ? [review] : [])),
  };

  const none = order.length === 0;
  const { canApprove, canReject } = useInboxActions({
    review,
    meant,
    why,
    none,
    move: step,
    choose: press,
    open,
    snooze: () => snoozeButton.current?.querySelector("button")?.click(),
    toggle: () => review && toggle(review.id),
    chooseAll: () => setChosen(new Set(order)),
    chooseEquals: equals.length > 1 ? chooseEquals : null,
    clear: chosen.size > 0 ? () => setChosen(new Set()) : null,
  });

  if (none && selected === null) return props.empty;

  const shown = review ?? linked.data?.review ?? null;
  return (
    <div className={styles.queue}>
      <SplitPane
        label="Width of the list"
        size={360}
        start={
          <>
            {chosen.size > 0 && (
              <BulkBar
                count={chosen.size}
                why={why}
                onApprove={canApprove ? () => choose("approve") : null}
                onReject={canReject ? () => open("reject") : null}
                onClear={() => setChosen(new Set())}
              />
            )}
            {chosen.size === 0 && equals.length > 1 && (
              <SameBar
                count={equals.length}
                by={byRule ? "rule" : "call"}
                onChoose={chooseEquals}
              />
            )}
            {none ? (
              props.empty
            ) : (
              <QueueList
                groups={groups}
                selected={selected}
                chosen={chosen}
                focusCall={focusCall}
                onSelect={moveTo}
                onChoose={toggle}
              />
            )}
          </>
        }
        end={
          shown ? (
            <ReviewPanel
              review={shown}
              footer={
                shown.state === "open" && (
                  <Footer
                    review={shown}
                    form={openForm}
                    many={meant.length}
                    why={why}
                    snoozeRef={snoozeButton}
                    {...on}
                  />
                )
              }
            />
          ) : (
            <NotHere query={linked} />
          )
        }
      />
    </div>
  );
}

function titleOf(review: ReviewView, grouping: Grouping): string {
  if (grouping === "run") return review.run_title ?? review.run;
  if (grouping === "rule") return ruleOf(review) ?? "Asked by no rule";
  return grouping === "kind" ? kindWords(review.kind).group : review.title;
}

function NotHere({ query }: { query: ReturnType<typeof useReviewDetail> }) {
  if (!query.error) return <Skeleton lines={8} label="Reading the review…" />;
  return (
    <ErrorState
      title="This review could not be read"
      error={query.error}
      onRetry={() => void query.refetch()}
    />
  );
}

/** What is under the cursor: stays there while the list changes, follows the address when that does. */
function useSelection(order: readonly string[], asked: string | null) {
  const stored = useInboxState((s) => s.selected);
  const before = useRef<readonly string[]>([]);
  const followed = useRef<string | null>(null);

  let selected = stored;
  const isLinked = asked !== null && selected === asked;
  if (asked !== null && followed.current !== asked) selected = asked;
  else if (!isLinked || order.includes(asked)) {
    selected = keepSelection(stored, before.current, order);
  }
  useEffect(() => {
    followed.current = asked;
    before.current = order;
    if (selected !== useInboxState.getState().selected) select(selected);
  }, [asked, order, selected]);
  const moveTo = useCallback((id: string | null) => select(id), []);
  return { selected, moveTo };
}
