import type { KeySource, KeyView } from "../ipc/bindings";

/** What a form holds, as the daemon takes it; null where nothing was given. */
export function sourceOf(draft: { from: KeySource["from"]; text: string }): KeySource | null {
  const text = draft.text.trim();
  if (text === "") return null;
  switch (draft.from) {
    case "keychain":
      return { from: "keychain", key: text };
    case "command":
      return { from: "command", command: text };
    case "env":
      return { from: "env", var: text };
  }
}

/** Where a secret comes from, after its name: `Key in the system's keychain`. */
export function sourceWords(view: Exclude<KeyView, { from: "none" }>): string {
  switch (view.from) {
    case "keychain":
      return "in the system's keychain";
    case "command":
      return `from the command ${view.command}`;
    case "env":
      return `from the daemon's variable ${view.var}`;
  }
}
