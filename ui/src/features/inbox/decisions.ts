import { useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { create } from "zustand";
import type { Decided, DecideRequest, ReviewView } from "../../ipc/bindings";
import { asCallError, type CallError } from "../../ipc/errors";
import { plural } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { relative } from "../../lib/time";
import { useSend } from "../../queries/call";
import { useLink } from "../../queries/link";
import { patchReview } from "../../queries/reviews";
import { announce } from "../../stores/announcer";
import { toast } from "../../stores/toasts";
import { labelOf } from "./kinds";

/** How long a decision made here can be taken back. */
export const GRACE_MS = 5000;

/** A decision of this window that has not taken effect yet. */
export interface Held {
  review: ReviewView;
  choice: string;
  /** When it takes effect (ms since epoch): a guess until the daemon has answered. */
  until: number;
  /** When it takes effect in the daemon's words: what `undo` names. */
  effectiveAt: string | null;
  /** Settles when the daemon has answered; false when it refused. */
  answered: Promise<boolean>;
}

interface Decisions {
  held: ReadonlyMap<string, Held>;
}

export const useDecisions = create<Decisions>(() => ({ held: new Map() }));

function hold(id: string, held: Held | null): void {
  const next = new Map(useDecisions.getState().held);
  if (held) next.set(id, held);
  else next.delete(id);
  useDecisions.setState({ held: next });
}

/** What is decided besides the choice. */
export interface Extras {
  note?: string;
  max_cost_usd?: string;
  arguments?: DecideRequest["arguments"];
}

export interface Decider {
  /** Decides all of them with one choice. They leave the queue at once; failures bring them back. */
  decide(reviews: readonly ReviewView[], choice: string, extras?: Extras): void;
  /** Takes back what has not taken effect yet. */
  undo(reviews: readonly { id: string; effectiveAt: string | null }[]): void;
}

function timeUp(id: string, until: number): void {
  setTimeout(
    () => {
      if (useDecisions.getState().held.get(id)?.until === until) hold(id, null);
    },
    Math.max(0, until - Date.now()),
  );
}

export function useDecider(): Decider {
  const client = useQueryClient();
  const { transport } = useLink();
  const by = transport.kind === "tauri" ? "desktop" : "browser";
  const send = useSend("decide");
  const takeBack = useSend("undo");

  return useMemo(() => {
    const settle = (review: ReviewView, decided: Decided) => {
      const held = useDecisions.getState().held.get(review.id);
      if (!held) return;
      const effectiveAt = decided.effective_at ?? null;
      const until = effectiveAt ? Date.parse(effectiveAt) : Date.now();
      hold(review.id, { ...held, effectiveAt, until });
      timeUp(review.id, until);
    };

    const sendOne = async (
      review: ReviewView,
      choice: string,
      extras: Extras,
    ): Promise<CallError | null> => {
      try {
        settle(
          review,
          await send({ review: review.id, choice, by, grace_ms: GRACE_MS, ...extras }),
        );
        return null;
      } catch (thrown) {
        hold(review.id, null);
        return asCallError(thrown);
      }
    };

    /** Somebody else was faster: what they decided is what counts, and it is said. */
    const tellOther = async (review: ReviewView, error: CallError) => {
      const now = await transport.call("review", { review: review.id }).catch(() => null);
      const answer = now?.review.answer;
      const withdrawn = now?.review.withdrawn;
      const how = answer
        ? `${labelOf(review, answer.choice)}, through ${answer.by}, ${relative(answer.at, Date.now())}.${answer.note ? ` “${oneLine(answer.note)}”` : ""}`
        : (withdrawn ?? `${error.message} ${error.hint}`);
      toast({
        tone: "plain",
        title: withdrawn
          ? `“${oneLine(review.title, 60)}” no longer needs deciding`
          : `“${oneLine(review.title, 60)}” was decided elsewhere`,
        detail: how,
        about: `conflict-${review.id}`,
        lifetimeMs: 12_000,
      });
    };

    const tellFailures = (failed: { review: ReviewView; error: CallError }[], of: number) => {
      for (const { review, error } of failed.filter((f) => f.error.code === "conflict")) {
        void tellOther(review, error);
      }
      const others = failed.filter((f) => f.error.code !== "conflict");
      const first = others[0];
      if (!first) return;
      const detail = [first.error.message, first.error.hint].filter(Boolean).join(" ");
      toast({
        tone: "bad",
        title:
          of === 1
            ? `“${oneLine(first.review.title, 60)}” is not decided`
            : `${others.length} of ${plural(of, "decision")} failed; they are back in the queue`,
        detail:
          of === 1
            ? detail
            : `${others.map((f) => oneLine(f.review.title, 40)).join(" · ")}: ${detail}`,
        about: "decide",
      });
    };

    const decide = (reviews: readonly ReviewView[], choice: string, extras: Extras = {}) => {
      const first = reviews[0];
      if (!first) return;
      const until = Date.now() + GRACE_MS;
      const failed: { review: ReviewView; error: CallError }[] = [];
      // One by one, in order: each that fails is known by name.
      let before: Promise<unknown> = Promise.resolve();
      for (const review of reviews) {
        const answered: Promise<boolean> = before.then(async () => {
          const error = await sendOne(review, choice, extras);
          if (error) failed.push({ review, error });
          return error === null;
        });
        before = answered;
        hold(review.id, { review, choice, until, effectiveAt: null, answered });
      }
      void before.then(() => tellFailures(failed, reviews.length));
      const words =
        reviews.length === 1
          ? `${labelOf(first, choice)}: ${oneLine(first.title, 80)}.`
          : `${labelOf(first, choice)}: ${plural(reviews.length, "item")}.`;
      announce(`${words} Press U within 5 seconds to undo.`);
    };

    const undoOne = async (id: string, known: string | null): Promise<CallError | null> => {
      const held = useDecisions.getState().held.get(id);
      if (held && !(await held.answered)) return null;
      const effectiveAt = useDecisions.getState().held.get(id)?.effectiveAt ?? known;
      try {
        await takeBack({ review: id, by, effective_at: effectiveAt });
        patchReview(client, id, (review) => ({
          ...review,
          state: "open",
          answer: null,
          effective_at: null,
        }));
        hold(id, null);
        return null;
      } catch (thrown) {
        return asCallError(thrown);
      }
    };

    const undo = (reviews: readonly { id: string; effectiveAt: string | null }[]) => {
      void (async () => {
        let taken = 0;
        for (const { id, effectiveAt } of reviews) {
          const error = await undoOne(id, effectiveAt);
          if (error === null) taken++;
          else {
            toast({
              tone: "bad",
              title: "Too late to undo",
              detail: [error.message, error.hint].filter(Boolean).join(" "),
              about: `undo-${id}`,
            });
          }
        }
        if (taken > 0) announce(`${plural(taken, "decision")} undone. Back in the inbox.`);
      })();
    };
    return { decide, undo };
  }, [client, transport, by, send, takeBack]);
}
