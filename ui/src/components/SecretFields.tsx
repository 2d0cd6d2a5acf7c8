import type { ReactNode } from "react";
import { capital } from "../lib/plain";
import { Select, TextField } from "./fields";

/** Where a secret is to come from, as a form holds it. */
export interface SecretDraft {
  from: "keychain" | "command" | "env";
  text: string;
}

export const NO_SECRET: SecretDraft = { from: "keychain", text: "" };

const SOURCES: { id: SecretDraft["from"]; label: string; detail: string }[] = [
  { id: "keychain", label: "Paste it here", detail: "Kept in the system's keychain" },
  { id: "command", label: "A command prints it", detail: "Run whenever it is needed" },
  { id: "env", label: "A variable of the daemon", detail: "Read from its environment" },
];

const FIELD = { command: "Command", env: "Variable" } as const;

const helpFor = (from: SecretDraft["from"], name: string): ReactNode => {
  switch (from) {
    case "keychain":
      return "It goes to the daemon, which keeps it in the system's keychain. It is never shown again.";
    case "command":
      return (
        <>
          Its output is the {name}. For password managers: <code>op read …</code>,{" "}
          <code>pass show …</code>.
        </>
      );
    case "env":
      return "The daemon must have been started with it.";
  }
};

/** Where a secret comes from, and it. What was typed leaves the page when the form is sent. */
export function SecretFields(props: {
  /** What it is called, in lower case: `key`. */
  name: string;
  draft: SecretDraft;
  onChange: (draft: SecretDraft) => void;
  /** What its command or its variable may look like. */
  examples: { command: string; env: string };
  /** Instead of the words below the field: a hint that it does not look right. */
  hint?: string | null;
  /** Why it may be left empty, in a few words. */
  optional?: string | false;
  autoFocus?: boolean;
}) {
  const { name, draft, onChange } = props;
  const label = draft.from === "keychain" ? capital(name) : FIELD[draft.from];
  return (
    <>
      <Select
        label={`Where the ${name} comes from`}
        options={SOURCES}
        value={draft.from}
        onChange={(from) => onChange({ from: from as SecretDraft["from"], text: "" })}
      />
      <TextField
        label={props.optional ? `${label} (${props.optional})` : label}
        type={draft.from === "keychain" ? "password" : "text"}
        autoComplete="off"
        spellCheck="false"
        mono
        value={draft.text}
        onChange={(text) => onChange({ ...draft, text })}
        placeholder={draft.from === "keychain" ? "" : props.examples[draft.from]}
        help={props.hint ?? helpFor(draft.from, name)}
        autoFocus={props.autoFocus ?? false}
      />
    </>
  );
}
