import {
  CirclePause,
  CircleQuestionMark,
  FilePenLine,
  GitMerge,
  Hourglass,
  KeyRound,
  Link2,
  type LucideIcon,
  MessageCircleQuestionMark,
  Repeat,
  ShieldQuestionMark,
  SquareTerminal,
  TestTubeDiagonal,
  Wallet,
} from "lucide-react";
import type { ReviewKind, ReviewView } from "../../ipc/bindings";

export interface KindWords {
  icon: LucideIcon;
  /** As a group's title: `Commands to approve`. */
  group: string;
  /** As the item's kind: `Command`. */
  name: string;
}

const KINDS: Record<ReviewKind, KindWords> = {
  tool_call: { icon: SquareTerminal, group: "Calls to approve", name: "Call" },
  sensitive_change: { icon: FilePenLine, group: "Sensitive changes", name: "Sensitive change" },
  doubt: { icon: CircleQuestionMark, group: "Doubts", name: "Doubt" },
  question: { icon: MessageCircleQuestionMark, group: "Questions", name: "Question" },
  in_doubt: { icon: ShieldQuestionMark, group: "Did it happen?", name: "Did it happen?" },
  verify_failed: { icon: TestTubeDiagonal, group: "Failed verification", name: "Verify failed" },
  budget: { icon: Wallet, group: "Budgets", name: "Budget" },
  loop: { icon: Repeat, group: "Loops", name: "Loop" },
  auth: { icon: KeyRound, group: "Credentials", name: "Credential" },
  dependency: { icon: Link2, group: "Dependencies", name: "Dependency" },
  stalled: { icon: CirclePause, group: "Gone silent", name: "Gone silent" },
  limit_wait: { icon: Hourglass, group: "Long waits", name: "Long wait" },
  conflict: { icon: GitMerge, group: "Conflicts", name: "Conflict" },
};

export function kindWords(kind: ReviewKind): KindWords {
  return KINDS[kind] ?? { icon: CircleQuestionMark, group: kind, name: kind };
}

export const offers = (review: ReviewView, choice: string): boolean =>
  review.choices.some((c) => c.id === choice);

/** Approve and reject have keys of their own; other choices are numbered. */
export function numberedChoices(review: ReviewView) {
  return review.choices.filter((choice) => choice.id !== "approve" && choice.id !== "reject");
}

/** The choice's words; an answer in the person's own words is itself. */
export function labelOf(review: ReviewView, choice: string): string {
  return review.choices.find((c) => c.id === choice)?.label ?? choice;
}
