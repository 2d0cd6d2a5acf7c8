import type { Tone } from "../../components/Badge";
import type { Verdict } from "../../ipc/bindings";

/** What a rule decides, in a word. */
export const OUTCOME: Record<Verdict, { tone: Tone; word: string }> = {
  allow: { tone: "good", word: "Allowed" },
  review: { tone: "warn", word: "Reviewed" },
  deny: { tone: "bad", word: "Refused" },
};
