import type { LogEntry } from "../ipc/bindings";
import { capital, oneLine } from "../lib/plain";
import { causeWords } from "./run-words";

/** What a journal entry is about, for an icon. */
export type EntryKind = "message" | "model" | "tool" | "review" | "wait" | "trouble" | "run";

export interface EntryLine {
  kind: EntryKind;
  text: string;
}

const line = (kind: EntryKind, text: string): EntryLine => ({ kind, text });

const ORIGINS: Record<string, string> = {
  prompt: "The task",
  user: "You said",
  briefing: "Recovery briefing",
  wrap_up: "Told to wrap up",
  verify: "The verify command's failure went back",
  continue: "Told to go on",
};

/** A journal entry in one line. */
export function entryLine({ event, text }: LogEntry, length = 200): EntryLine {
  const said = text ? oneLine(text, length) : "";
  const about = (words: string, more: string) => (more ? `${words}: ${more}` : words);
  switch (event.kind) {
    case "message_added":
      return line("message", about(ORIGINS[event.origin] ?? event.origin, said));
    case "op_intended":
      return line(
        event.op_kind === "model" ? "model" : "tool",
        oneLine(`Wants ${called(event.name, event.summary)}`, length),
      );
    case "op_started":
      return line("tool", `Operation ${event.op} began`);
    case "op_finished":
      // What costs is a model's answer. One without words is what it calls for.
      if (event.charge && event.outcome === "ok") {
        return line(
          "model",
          said
            ? `Answered: ${said}`
            : event.summary
              ? oneLine(`Answered by calling ${event.summary}`, length)
              : "Answered without words",
        );
      }
      return line(
        event.outcome === "ok" ? "tool" : "trouble",
        about(
          event.outcome === "ok" ? `Operation ${event.op}` : `Operation ${event.op} failed`,
          said || oneLine(event.summary, length),
        ),
      );
    case "op_failed":
      return line("trouble", about(`Operation ${event.op} failed`, oneLine(event.error.message)));
    case "op_retried":
      return line("trouble", about("Will be tried again", oneLine(event.error.message)));
    case "review_requested":
      return line("review", about("Asked", oneLine(event.review.title, length)));
    case "review_decided":
      return line("review", about(`Decided by ${event.answer.by}`, event.answer.choice));
    case "wait_began":
      return line("wait", about(`Waits ${causeWords(event.cause)}`, oneLine(event.detail)));
    case "wait_ended":
      return line("wait", `Waited ${causeWords(event.cause)}`);
    case "interrupted":
      return line("trouble", `Interrupted: ${causeWords(event.cause)}`);
    case "failed":
      return line("trouble", about("Failed", oneLine(event.message)));
    case "noted":
      return line("run", oneLine(event.text, length));
    case "call_sent":
      return line("model", about("The agent asks its model", event.model));
    case "call_ended":
      return event.detail
        ? line("trouble", oneLine(event.detail, length))
        : line("model", "The agent has its model's answer");
    case "step_started":
      return line("run", `Step ${event.step}`);
    case "backend_switched":
      return line("run", about(`${event.backend} answers from here on`, oneLine(event.why)));
    default:
      return line("run", about(capital(event.kind.replaceAll("_", " ")), said));
  }
}

/** A call in one line: with its tool's name where its summary does not say it already. */
const called = (name: string, summary: string): string => {
  const named = summary === name || summary.startsWith(`${name} `) || summary.startsWith("$ ");
  return named ? summary : [name, summary].filter(Boolean).join(": ");
};
