import type { BackendKind, KeyView } from "../../ipc/bindings";
import { sourceWords } from "../../queries/secret-words";

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
  return key.from === "none" ? "No key, or the agent's own login" : `Key ${sourceWords(key)}`;
}

/** What a key's command or variable may look like. */
export const KEY_EXAMPLES = { command: "pass show anthropic", env: "ANTHROPIC_API_KEY" };

/** A name that is free, `claude`, `claude-2`, … */
export function freeName(wanted: string, taken: readonly string[]): string {
  if (!taken.includes(wanted)) return wanted;
  let n = 2;
  while (taken.includes(`${wanted}-${n}`)) n += 1;
  return `${wanted}-${n}`;
}
