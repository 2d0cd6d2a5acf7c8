import { type Binding, useAction } from "../../actions/registry";
import type { ReviewView } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { useGo } from "../../stores/navigation";
import type { FormName } from "./Footer";
import { numberedChoices, offers } from "./kinds";

export interface InboxMeans {
  /** What is under the cursor. */
  review: ReviewView | null;
  /** What a decision is about: the selected items, or the one under the cursor. */
  meant: readonly ReviewView[];
  /** Why nothing can be decided now. */
  why: string | undefined;
  /** The list is empty. */
  none: boolean;
  move: (by: number) => void;
  choose: (choice: string) => void;
  open: (form: FormName) => void;
  snooze: () => void;
  toggle: () => void;
  chooseAll: () => void;
  /** Selects what asks the same as the item under the cursor; null where nothing else does. */
  chooseEquals: (() => void) | null;
  clear: (() => void) | null;
}

/** Every key of the inbox. Says which decisions the items offer. */
export function useInboxActions(means: InboxMeans): { canApprove: boolean; canReject: boolean } {
  const { review, meant, why, none } = means;
  const go = useGo();
  const canApprove = meant.some((r) => offers(r, "approve"));
  const canReject = meant.some((r) => offers(r, "reject"));
  const about =
    meant.length > 1 ? plural(meant.length, "item") : `“${oneLine(review?.title ?? "", 50)}”`;
  const some = (binding: Binding): Binding | null => (meant.length > 0 ? binding : null);
  const one = (binding: Binding): Binding | null => (review ? binding : null);

  useAction("inbox.next", none ? null : () => means.move(1));
  useAction("inbox.previous", none ? null : () => means.move(-1));
  useAction("inbox.open", one({ run: () => review && go({ room: "run", run: review.run }) }));
  useAction(
    "inbox.approve",
    some({
      run: () => means.choose("approve"),
      enabled: why ?? (canApprove || "This is not approved but answered"),
      title: `Approve ${about}`,
    }),
  );
  useAction(
    "inbox.reject",
    some({
      run: () => means.open("reject"),
      enabled: why ?? (canReject || "This is not rejected but answered"),
      title: `Reject ${about} with a note`,
    }),
  );
  const editable = Boolean(review?.editable && offers(review, "approve"));
  useAction(
    "inbox.edit",
    one({
      run: () => means.open("edit"),
      enabled: why ?? (editable || "Its arguments cannot be changed"),
    }),
  );
  const always = Boolean(review?.always && offers(review, "approve"));
  useAction(
    "inbox.always",
    one({
      run: () => means.open("always"),
      enabled: why ?? (always || "This is looked at each time"),
    }),
  );
  useAction(
    "inbox.snooze",
    some({ run: means.snooze, enabled: why ?? true, title: `Snooze ${about}` }),
  );
  useAction("inbox.select", one({ run: means.toggle }));
  useAction("inbox.select-all", none ? null : means.chooseAll);
  useAction("inbox.select-equals", means.chooseEquals);
  useAction("inbox.clear", means.clear);
  useNumberKeys(means);
  return { canApprove, canReject };
}

/** The number keys stand for the choices that have no letter. */
function useNumberKeys({ review, why, choose }: InboxMeans): void {
  const choices = review ? numberedChoices(review) : [];
  const binding = (n: number): Binding | null => {
    const choice = choices[n];
    if (!choice) return null;
    return { run: () => choose(choice.id), enabled: why ?? true, title: choice.label };
  };
  useAction("inbox.choice-1", binding(0));
  useAction("inbox.choice-2", binding(1));
  useAction("inbox.choice-3", binding(2));
  useAction("inbox.choice-4", binding(3));
  useAction("inbox.choice-5", binding(4));
}
