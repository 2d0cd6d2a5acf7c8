import type { LogEntry } from "../ipc/bindings";
import { capital, oneLine } from "../lib/plain";
import { causeWords } from "./run-words";

/** What a journal entry is about, for an icon. */
export type EntryKind = "message" | "model" | "tool" | "review" | "wait" | "trouble" | "run";

export interface EntryLine {
  kind: EntryKind;
  text: string;
}

type Finished = Extract<LogEntry["event"], { kind: "op_finished" }>;

const line = (kind: EntryKind, text: string): EntryLine => ({ kind, text });

const ORIGINS: Record<string, string> = {
  prompt: "The task",
  user: "You said",
  briefing: "Recovery briefing",
  wrap_up: "Told to wrap up",
  verify: "The verify command's failure went back",
  continue: "Told to go on",
};

const about = (words: string, more: string) => (more ? `${words}: ${more}` : words);

/** A journal entry in one line. */
export function entryLine({ event, text }: LogEntry, length = 200): EntryLine {
  const said = text ? oneLine(text, length) : "";
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
      return opFinished(event, said, length);
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

/** What costs is a model's answer. One without words is what it calls for. */
function opFinished(event: Finished, said: string, length: number): EntryLine {
  const summary = oneLine(event.summary, length);
  if (event.charge && event.outcome === "ok") {
    if (said) {
      return line("model", `Answered: ${said}`);
    }
    const calls = oneLine(`Answered by calling ${event.summary}`, length);
    return line("model", summary ? calls : "Answered without words");
  }
  return event.outcome === "ok"
    ? line("tool", about(`Operation ${event.op}`, said || summary))
    : line("trouble", about(`Operation ${event.op} failed`, said || summary));
}

/** A call in one line: with its tool's name where its summary does not say it already. */
const called = (name: string, summary: string): string => {
  const named = summary === name || summary.startsWith(`${name} `) || summary.startsWith("$ ");
  return named ? summary : [name, summary].filter(Boolean).join(": ");
};
