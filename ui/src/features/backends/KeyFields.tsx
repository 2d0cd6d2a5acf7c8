import { Select, TextField } from "../../components/fields";
import type { KeySource } from "../../ipc/bindings";
import type { KeyDraft } from "./kinds";

const SOURCES: { id: KeySource["from"]; label: string; detail: string }[] = [
  { id: "keychain", label: "Paste it here", detail: "Kept in the system's keychain" },
  { id: "command", label: "A command prints it", detail: "Run whenever a key is needed" },
  { id: "env", label: "A variable of the daemon", detail: "Read from its environment" },
];

const FIELD = {
  keychain: {
    label: "Key",
    help: "It goes to the daemon, which keeps it in the system's keychain. It is never shown again.",
    placeholder: "",
  },
  command: {
    label: "Command",
    help: "Its output is the key. For password managers: `op read …`, `pass show …`.",
    placeholder: "pass show anthropic",
  },
  env: {
    label: "Variable",
    help: "The daemon must have been started with it.",
    placeholder: "ANTHROPIC_API_KEY",
  },
} as const;

/** Where a key comes from, and it. */
export function KeyFields(props: {
  draft: KeyDraft;
  onChange: (draft: KeyDraft) => void;
  /** A hint that it does not look right. */
  hint?: string | null;
  optional?: boolean;
  autoFocus?: boolean;
}) {
  const { draft, onChange } = props;
  const field = FIELD[draft.from];
  return (
    <>
      <Select
        label="Where the key comes from"
        options={SOURCES}
        value={draft.from}
        onChange={(from) => onChange({ from: from as KeySource["from"], text: "" })}
      />
      <TextField
        label={props.optional ? `${field.label} (if it wants one)` : field.label}
        type={draft.from === "keychain" ? "password" : "text"}
        autoComplete="off"
        spellCheck="false"
        mono
        value={draft.text}
        onChange={(text) => onChange({ ...draft, text })}
        placeholder={field.placeholder}
        help={props.hint ?? field.help}
        autoFocus={props.autoFocus ?? false}
      />
    </>
  );
}
