import type { RunSummary } from "../../ipc/bindings";
import { isEnded, isLive, needsYou } from "../../queries/run-words";

export const SECTIONS = ["needs-you", "interrupted", "running", "waiting", "done"] as const;
export type SectionId = (typeof SECTIONS)[number];

export const SECTION_TITLES: Record<SectionId, string> = {
  "needs-you": "Needs you",
  interrupted: "Interrupted",
  running: "Running",
  waiting: "Waiting",
  done: "Done",
};

/** In which section a run stands: the first that fits. */
export function sectionOf(run: RunSummary): SectionId {
  if (isEnded(run.state)) return "done";
  if (needsYou(run)) return "needs-you";
  if (run.state === "interrupted") return "interrupted";
  return isLive(run.state) ? "running" : "waiting";
}

export interface RunFilter {
  /** Words in title, project, backend or model. */
  text: string;
  state: string | null;
  project: string | null;
  backend: string | null;
}

/**
 * Whether a run is wanted. `said` are the runs in whose transcripts the daemon found the text;
 * what stands in the list itself is found without asking.
 */
export function fits(run: RunSummary, filter: RunFilter, said: ReadonlySet<string>): boolean {
  if (filter.state && run.state !== filter.state) return false;
  if (filter.project && run.project !== filter.project) return false;
  if (filter.backend && run.backend !== filter.backend) return false;
  const text = filter.text.trim().toLowerCase();
  if (!text || said.has(run.id)) return true;
  return [run.title, run.project, run.backend, run.model ?? "", run.id].some((words) =>
    words.toLowerCase().includes(text),
  );
}

export type Row =
  | { kind: "heading"; section: SectionId; count: number }
  | { kind: "run"; section: SectionId; run: RunSummary };

export const keyOfRow = (row: Row): string =>
  row.kind === "heading" ? `section-${row.section}` : row.run.id;

/** What ended last stands first among the done; elsewhere what waits longest does not sink. */
function inOrder(section: SectionId, runs: RunSummary[]): RunSummary[] {
  if (section !== "done") return runs;
  const endOf = (run: RunSummary) => run.ended_at ?? run.updated_at;
  return runs.toSorted((a, b) => (endOf(a) < endOf(b) ? 1 : endOf(a) > endOf(b) ? -1 : 0));
}

/** The list as it is shown: each section with its heading, empty ones left out. */
export function rowsOf(
  runs: readonly RunSummary[],
  filter: RunFilter,
  said: ReadonlySet<string>,
): Row[] {
  const bySection = new Map<SectionId, RunSummary[]>(SECTIONS.map((id) => [id, []]));
  for (const run of runs) {
    if (fits(run, filter, said)) bySection.get(sectionOf(run))?.push(run);
  }
  return SECTIONS.flatMap((section): Row[] => {
    const found = inOrder(section, bySection.get(section) ?? []);
    if (found.length === 0) return [];
    return [
      { kind: "heading", section, count: found.length },
      ...found.map((run): Row => ({ kind: "run", section, run })),
    ];
  });
}

/** Every value of a field, for a filter's choices, most used first. */
export function choicesOf(runs: readonly RunSummary[], field: "project" | "backend"): string[] {
  const counts = new Map<string, number>();
  for (const run of runs) counts.set(run[field], (counts.get(run[field]) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([value]) => value);
}
