import type { BackendKind, KeySource, KeyView } from "../../ipc/bindings";

/** How people call the kinds. */
export const KIND_WORDS: Record<BackendKind, string> = {
  anthropic: "Anthropic API",
  openai: "OpenAI API or compatible",
  "claude-code": "Claude Code",
  codex: "Codex",
  acp: "Agent (ACP)",
  rehearsal: "Rehearsal (simulated)",
};

/** What can be added with a key: vendors' own addresses, or any server that speaks OpenAI's API. */
export interface Provider {
  id: string;
  label: string;
  detail: string;
  kind: BackendKind;
  /** The suggested name. */
  name: string;
  /** A model to begin with. */
  model: string;
  /** Its address has to be given. */
  address?: string;
  /** How its keys begin, for a hint about pasting the wrong one. */
  prefix?: string;
  /** It may work without a key (a server on this machine). */
  keyless?: true;
}

export const PROVIDERS: readonly Provider[] = [
  {
    id: "anthropic",
    label: "Anthropic",
    detail: "Claude models, with a key from console.anthropic.com",
    kind: "anthropic",
    name: "claude",
    model: "claude-sonnet-5-5",
    prefix: "sk-ant-",
  },
  {
    id: "openai",
    label: "OpenAI",
    detail: "GPT models, with a key from platform.openai.com",
    kind: "openai",
    name: "openai",
    model: "gpt-5.4",
    prefix: "sk-",
  },
  {
    id: "compatible",
    label: "Another server that speaks OpenAI's API",
    detail: "Ollama, vLLM, LM Studio, OpenRouter and others",
    kind: "openai",
    name: "local",
    model: "",
    address: "http://localhost:11434/v1",
    keyless: true,
  },
];

export function keyWords(key: KeyView): string {
  switch (key.from) {
    case "none":
      return "No key, or the agent's own login";
    case "keychain":
      return "Key in the system's keychain";
    case "command":
      return `Key from the command ${key.command}`;
    case "env":
      return `Key from the daemon's variable ${key.var}`;
  }
}

/** Where a key is to come from, as the form holds it. */
export interface KeyDraft {
  from: KeySource["from"];
  text: string;
}

export const NO_KEY: KeyDraft = { from: "keychain", text: "" };

export function sourceOf(draft: KeyDraft): KeySource | null {
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

/** A name that is free, `claude`, `claude-2`, … */
export function freeName(wanted: string, taken: readonly string[]): string {
  if (!taken.includes(wanted)) return wanted;
  let n = 2;
  while (taken.includes(`${wanted}-${n}`)) n += 1;
  return `${wanted}-${n}`;
}
