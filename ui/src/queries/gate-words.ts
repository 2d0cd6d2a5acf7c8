import type { BucketView } from "../ipc/bindings";
import { causeWords } from "./run-words";

export interface GateWords {
  tone: "good" | "busy" | "warn";
  moving: boolean;
  words: string;
}

/** How a provider's limit is: the same words wherever one looks at it. */
export function gateWords({ state, cause }: Pick<BucketView, "state" | "cause">): GateWords {
  switch (state) {
    case "open":
      return { tone: "good", moving: false, words: "Open" };
    case "probing":
      return { tone: "busy", moving: true, words: "Trying single calls" };
    default:
      return {
        tone: "warn",
        moving: false,
        words: cause ? `Paused ${causeWords(cause)}` : "Paused",
      };
  }
}
