import type { Applied, AppliedWhat, ApplyInto, RunView } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import { oneLine } from "../../lib/plain";
import { isEnded } from "../../queries/run-words";

/** Why a run's result cannot be put anywhere; undefined when it can. The daemon has the last word. */
export function whyNotApplied(view: RunView): string | undefined {
  const { state, workspace } = view;
  if (workspace.kind === "in-place") {
    return "It worked in the project itself: there is nothing to apply";
  }
  if (workspace.discarded) return "Its workspace is discarded";
  if (view.reviews.some((review) => review.kind === "conflict")) {
    return "It is being applied and waits for your decision in the Inbox";
  }
  if (view.verify !== null && state !== "completed") {
    return isEnded(state)
      ? `Its verify command has not passed: it is ${state}`
      : "Its verify command has not passed yet";
  }
  if (state === "queued" || state === "running" || state === "verifying") {
    return `It is ${state}: wait for it, or pause it`;
  }
  return undefined;
}

/** A folder without git has no branches. */
export function whyNotInto(view: RunView, into: ApplyInto): string | undefined {
  return view.workspace.kind === "copy" && into !== "changes"
    ? "The project is not in git: apply as uncommitted changes"
    : undefined;
}

const BECAME: [AppliedWhat, string][] = [
  ["written", "written"],
  ["deleted", "deleted"],
  ["merged", "merged with yours"],
  ["replaced_yours", "replaced yours (kept)"],
  ["same", "the same already"],
  ["kept_yours", "kept as you have it"],
  ["left_out", "left out (in a submodule)"],
];

/** `3 files written, 1 merged with yours, 1 left out (in a submodule)`. */
function tally(applied: Applied): string | null {
  const paths = applied.paths ?? [];
  const parts = BECAME.flatMap(([what, words]) => {
    const many = paths.filter((path) => path.what === what).length;
    return many > 0 ? [{ many, words }] : [];
  });
  if (parts.length === 0) return null;
  return parts
    .map(({ many, words }, i) => `${i === 0 ? plural(many, "file") : many} ${words}`)
    .join(", ");
}

/** A word for the shell, whatever is in it. */
const quoted = (word: string): string =>
  /^[\w./@:+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

export interface Told {
  title: string;
  detail: string;
  /** What takes it back, or takes it over: to be copied. */
  command?: { label: string; text: string };
  /** It must not leave before it was read. */
  stays: boolean;
}

/** What an apply did, in words. */
export function appliedWords(applied: Applied, into: ApplyInto): Told {
  const sentences = [tally(applied)];
  const stays = (applied.paths ?? []).some((path) => path.what === "left_out");
  const target = oneLine(applied.target, 120);
  const commit = applied.commit?.slice(0, 10);
  const told = (title: string, more: Partial<Told> = {}): Told => ({
    title,
    detail: sentences
      .filter(Boolean)
      .map((sentence) => `${sentence}.`)
      .join(" "),
    stays,
    ...more,
  });
  if (into === "branch") {
    if (commit) sentences.unshift(`Commit ${commit}`);
    sentences.push("Your files are as they were");
    const text = `git merge ${quoted(applied.target)}`;
    return told(`Applied as the branch ${target}`, {
      command: { label: "Copy the merge command", text },
    });
  }
  if (into === "commit") {
    if (!commit) return told(`${target} has all of it already`);
    const text = `git revert ${commit}`;
    sentences.push(`To undo it: ${text}`);
    return told(`Applied as commit ${commit} on ${target}`, {
      command: { label: "Copy the undo command", text },
    });
  }
  sentences.push(`In ${target}`);
  if (!applied.kept) return told("Applied as uncommitted changes");
  sentences.push("What was replaced or removed is kept until the run is discarded");
  const { store, commit: before } = applied.kept;
  const text = `git --git-dir=${quoted(store)} --work-tree=${quoted(applied.target)} checkout ${before} -- .`;
  return told("Applied as uncommitted changes", {
    command: { label: "Copy the undo command", text },
    stays: true,
  });
}

const NAMED = 3;

/** Which files stand against what the user did, where somebody has to decide first. */
export function conflictWords(applied: Applied): string {
  const paths = (applied.paths ?? []).filter((path) => path.what === "conflict");
  const named = paths.slice(0, NAMED).map((path) => oneLine(path.path, 80));
  if (named.length === 0) return "You changed the same files meanwhile: decide first.";
  const more = paths.length > NAMED ? ` and ${paths.length - NAMED} more` : "";
  return `You changed ${named.join(", ")}${more} meanwhile: decide first what becomes of that.`;
}
