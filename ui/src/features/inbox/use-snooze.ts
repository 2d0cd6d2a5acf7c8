import { useQueryClient } from "@tanstack/react-query";
import type { ReviewList, ReviewView } from "../../ipc/bindings";
import { asCallError } from "../../ipc/errors";
import { plural } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { useSend } from "../../queries/call";
import { callKey } from "../../queries/invalidate";
import { announce } from "../../stores/announcer";
import { toast } from "../../stores/toasts";

/** Puts reviews off: they leave the queue at once and come back when their time has come. */
export function useSnooze(): (reviews: readonly ReviewView[], seconds: number) => void {
  const client = useQueryClient();
  const send = useSend("snooze");

  const hide = (ids: ReadonlySet<string>) => {
    const key = callKey("reviews", { status: "queue" });
    client.setQueryData<ReviewList>(key, (list) =>
      list
        ? {
            ...list,
            reviews: list.reviews.filter((r) => !ids.has(r.id)),
            snoozed: (list.snoozed ?? 0) + ids.size,
          }
        : list,
    );
  };

  return (reviews, seconds) => {
    hide(new Set(reviews.map((r) => r.id)));
    announce(reviews.length === 1 ? "Snoozed." : `${plural(reviews.length, "item")} snoozed.`);
    void (async () => {
      for (const review of reviews) {
        try {
          await send({ review: review.id, seconds });
        } catch (thrown) {
          const error = asCallError(thrown);
          toast({
            tone: "bad",
            title: `“${oneLine(review.title, 60)}” could not be snoozed`,
            detail: [error.message, error.hint].filter(Boolean).join(" "),
            about: `snooze-${review.id}`,
          });
        }
      }
    })();
  };
}
