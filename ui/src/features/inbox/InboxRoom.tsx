import { useCallback, useMemo } from "react";
import { useAction } from "../../actions/registry";
import { Button } from "../../components/Button";
import { Loaded } from "../../components/Loaded";
import { Page } from "../../components/Page";
import { Tabs } from "../../components/Tabs";
import { useReviews } from "../../queries/reviews";
import { useSearch } from "../../stores/navigation";
import { useDecisions } from "./decisions";
import { HistoryTab } from "./HistoryTab";
import { InboxEmpty } from "./InboxEmpty";
import styles from "./InboxRoom.module.css";
import { setGrouping, useInboxState } from "./inbox-state";
import { Queue } from "./Queue";
import { undecided } from "./queue";

const TABS = ["queue", "snoozed", "history"] as const;
type InboxTab = (typeof TABS)[number];

/** What waits for a person, across all runs. */
export function InboxRoom({ review }: { review: string | null }) {
  const [search, setSearch] = useSearch();
  const tab: InboxTab = TABS.find((t) => t === search.tab) ?? "queue";
  const setTab = useCallback(
    (next: string) => setSearch({ tab: next === "queue" ? null : next }),
    [setSearch],
  );
  const grouping = useInboxState((s) => s.grouping);
  const regroup = () => setGrouping(grouping === "run" ? "kind" : "run");
  useAction("inbox.history", () => setTab(tab === "history" ? "queue" : "history"));
  useAction("inbox.group", regroup);

  const queue = useReviews("queue");
  const held = useDecisions((s) => s.held);
  const waiting = useMemo(
    () => undecided(queue.data?.reviews ?? [], new Set(held.keys())),
    [queue.data, held],
  );
  const snoozed = queue.data?.snoozed ?? 0;

  return (
    <Page
      title="Inbox"
      actions={
        tab !== "history" && (
          <Button small look="quiet" onPress={regroup}>
            {grouping === "run" ? "Group by kind" : "Group by run"}
          </Button>
        )
      }
    >
      <div className={styles.tabs}>
        <Tabs
          label="Inbox"
          chosen={tab}
          onChoose={setTab}
          tabs={[
            {
              id: "queue",
              label: waiting.length > 0 ? `Waiting (${waiting.length})` : "Waiting",
              content: (
                <Loaded query={queue} what="the inbox" lines={8}>
                  {() => (
                    <Queue
                      reviews={waiting}
                      asked={review}
                      grouping={grouping}
                      empty={
                        <InboxEmpty
                          snoozed={snoozed}
                          nextAt={queue.data?.next_at ?? null}
                          onSnoozed={() => setTab("snoozed")}
                          onHistory={() => setTab("history")}
                        />
                      }
                    />
                  )}
                </Loaded>
              ),
            },
            {
              id: "snoozed",
              label: snoozed > 0 ? `Snoozed (${snoozed})` : "Snoozed",
              content: <Snoozed />,
            },
            { id: "history", label: "History", content: <HistoryTab /> },
          ]}
        />
      </div>
    </Page>
  );
}

function Snoozed() {
  const list = useReviews("snoozed");
  const held = useDecisions((s) => s.held);
  const grouping = useInboxState((s) => s.grouping);
  const reviews = useMemo(
    () => undecided(list.data?.reviews ?? [], new Set(held.keys())),
    [list.data, held],
  );
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
