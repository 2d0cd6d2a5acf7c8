import { create } from "zustand";
import type { Json, Preset, RunRequest, Setting, WorkspaceMode } from "../../ipc/bindings";

/** The form as it stands. Empty texts mean: as the settings say. */
export interface Draft {
  project: string;
  prompt: string;
  backend: string;
  model: string;
  verify: string;
  policy: Preset | null;
  workspace: WorkspaceMode | null;
  cost: string;
  hours: string;
  tokens: string;
  toolCalls: string;
  fallback: string[];
  after: string | null;
  priority: number;
}

export const EMPTY: Draft = {
  project: "",
  prompt: "",
  backend: "",
  model: "",
  verify: "",
  policy: null,
  workspace: null,
  cost: "",
  hours: "",
  tokens: "",
  toolCalls: "",
  fallback: [],
  after: null,
  priority: 0,
};

const KEY = "longhaul.new-run";

function kept(): Draft {
  try {
    return { ...EMPTY, ...(JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Partial<Draft>) };
  } catch {
    return EMPTY;
  }
}

/** Half a page of prompt must survive a look into another room, and a reload. */
export const useDraft = create<Draft>(kept);

useDraft.subscribe((draft) => sessionStorage.setItem(KEY, JSON.stringify(draft)));

export const changeDraft = (part: Partial<Draft>): void => useDraft.setState(part);
/** The next run of the same project begins with the same choices; only the words go. */
export const promptSent = (): void => useDraft.setState({ prompt: "", after: null });

const NUMBER = /^\d+(?:\.\d+)?$/;

/** What is wrong with a field, in words. */
export function problems(draft: Draft): Partial<Record<keyof Draft, string>> {
  const found: Partial<Record<keyof Draft, string>> = {};
  if (draft.cost && !NUMBER.test(draft.cost)) found.cost = "An amount like 5 or 0.50";
  else if (draft.cost && Number(draft.cost) === 0) found.cost = "More than nothing";
  for (const field of ["hours", "tokens", "toolCalls"] as const) {
    const text = draft[field].replaceAll(",", "");
    if (text && !(NUMBER.test(text) && Number(text) > 0)) found[field] = "A number above zero";
  }
  return found;
}

/** Why it cannot be started yet. */
export function missing(draft: Draft, backends: number): string | null {
  if (backends === 0) return "There is no backend yet";
  if (!draft.project.trim()) return "Choose a project folder first";
  if (!draft.prompt.trim()) return "Say what is to be done";
  if (!draft.backend) return "Choose a backend";
  const [problem] = Object.values(problems(draft));
  return problem ? "A limit is not a number" : null;
}

const whole = (text: string): number | null => {
  const value = Math.round(Number(text.replaceAll(",", "")));
  return text.trim() && value > 0 ? value : null;
};

export function requestOf(draft: Draft): RunRequest {
  return {
    prompt: draft.prompt.trim(),
    project: draft.project.trim(),
    backend: draft.backend,
    model: draft.model.trim() || null,
    verify: draft.verify.trim() || null,
    policy: draft.policy,
    workspace: draft.workspace,
    max_cost_usd: draft.cost.trim() || null,
    max_tokens: whole(draft.tokens),
    max_tool_calls: whole(draft.toolCalls),
    max_duration_s: draft.hours.trim() ? Math.round(Number(draft.hours) * 3600) : null,
    fallback: draft.fallback.filter((name) => name !== draft.backend),
    after: draft.after,
    priority: draft.priority,
  };
}

/** What the settings say where the form says nothing. */
export function defaultOf(settings: readonly Setting[] | undefined, name: string): Json {
  return settings?.find((setting) => setting.name === name)?.value ?? null;
}
