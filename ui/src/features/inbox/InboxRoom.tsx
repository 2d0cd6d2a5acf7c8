import { useCallback, useMemo } from "react";
import { useAction } from "../../actions/registry";
import { Button } from "../../components/Button";
import { Loaded } from "../../components/Loaded";
import { Page } from "../../components/Page";
import { Tabs } from "../../components/Tabs";
import type { ReviewList, ReviewView } from "../../ipc/bindings";
import { useReviews } from "../../queries/reviews";
import { useSearch } from "../../stores/navigation";
import { CatchUpTab } from "./CatchUpTab";
import { useDecisions } from "./decisions";
import { HistoryTab } from "./HistoryTab";
import { InboxEmpty } from "./InboxEmpty";
import styles from "./InboxRoom.module.css";
import { setGrouping, useInboxState } from "./inbox-state";
import { Queue } from "./Queue";
import { type Grouping, undecided } from "./queue";

const TABS = ["queue", "snoozed", "catch-up", "history"] as const;
type InboxTab = (typeof TABS)[number];

const NEXT: Record<Grouping, Grouping> = {
  run: "kind",
  kind: "rule",
  rule: "same",
  same: "run",
};
const GROUP_BY: Record<Grouping, string> = {
  run: "Group by run",
  kind: "Group by kind",
  rule: "Group by rule",
  same: "Group equals",
};

/** What waits for a person, across all runs. */
export function InboxRoom({ review }: { review: string | null }) {
  const [search, setSearch] = useSearch();
  const tab: InboxTab = TABS.find((t) => t === search.tab) ?? "queue";
  const setTab = useCallback(
    (next: string) => setSearch({ tab: next === "queue" ? null : next }),
    [setSearch],
  );
  const grouping = useInboxState((s) => s.grouping);
  const nextGrouping = NEXT[grouping];
  const regroup = () => setGrouping(nextGrouping);
  useAction("inbox.history", () => setTab(tab === "history" ? "queue" : "history"));
  useAction("inbox.group", regroup);

  // What is decided draws what it changes and not the room: the next item must be there at once.
  const tabs = useMemo(
    () => [
      {
        id: "queue",
        label: <WaitingLabel />,
        content: <Waiting asked={review} grouping={grouping} onTab={setTab} />,
      },
      { id: "snoozed", label: <SnoozedLabel />, content: <Snoozed grouping={grouping} /> },
      { id: "catch-up", label: "Catch up", content: <CatchUpTab /> },
      { id: "history", label: "History", content: <HistoryTab /> },
    ],
    [review, grouping, setTab],
  );

  return (
    <Page
      title="Inbox"
      actions={
        (tab === "queue" || tab === "snoozed") && (
          <Button small look="quiet" onPress={regroup}>
            {GROUP_BY[nextGrouping]}
          </Button>
        )
      }
    >
      <div className={styles.tabs}>
        <Tabs label="Inbox" chosen={tab} onChoose={setTab} tabs={tabs} />
      </div>
    </Page>
  );
}

/** Those of a list that nobody has decided, here or elsewhere. */
function useUndecided(list: ReviewList | undefined): readonly ReviewView[] {
  const held = useDecisions((s) => s.held);
  return useMemo(() => undecided(list?.reviews ?? [], new Set(held.keys())), [list, held]);
}

function WaitingLabel() {
  const waiting = useUndecided(useReviews("queue").data);
  return waiting.length > 0 ? `Waiting (${waiting.length})` : "Waiting";
}

function SnoozedLabel() {
  const snoozed = useReviews("queue").data?.snoozed ?? 0;
  return snoozed > 0 ? `Snoozed (${snoozed})` : "Snoozed";
}

function Waiting(props: {
  /** The review the address names. */
  asked: string | null;
  grouping: Grouping;
  onTab: (tab: InboxTab) => void;
}) {
  const queue = useReviews("queue");
  const waiting = useUndecided(queue.data);
  return (
    <Loaded query={queue} what="the inbox" lines={8}>
      {(list) => (
        <Queue
          reviews={waiting}
          asked={props.asked}
          grouping={props.grouping}
          empty={
            <InboxEmpty
              snoozed={list.snoozed ?? 0}
              nextAt={list.next_at ?? null}
              onSnoozed={() => props.onTab("snoozed")}
              onHistory={() => props.onTab("history")}
            />
          }
        />
      )}
    </Loaded>
  );
}

function Snoozed({ grouping }: { grouping: Grouping }) {
  const list = useReviews("snoozed");
  const reviews = useUndecided(list.data);
  return (
    <Loaded query={list} what="what is snoozed" lines={6}>
      {() => (
        <Queue
          reviews={reviews}
          asked={null}
          grouping={grouping}
          empty={<p className={styles.nothing}>Nothing is snoozed.</p>}
        />
      )}
    </Loaded>
  );
}
