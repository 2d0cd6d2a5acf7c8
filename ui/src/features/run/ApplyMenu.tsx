import { ChevronDown, FilePen, GitBranch, GitCommitHorizontal } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "../../components/Button";
import { Menu } from "../../components/Menu";
import type { ApplyInto } from "../../ipc/bindings";
import type { FileDiff } from "../../lib/diff";
import { plural } from "../../lib/numbers";
import styles from "./ChangesTab.module.css";
import type { Applying } from "./use-apply";

const WAYS: { into: ApplyInto; label: string; detail: string; icon: ReactNode }[] = [
  {
    into: "branch",
    label: "As a branch",
    detail: "A new branch in your repository; your files stay as they are",
    icon: <GitBranch />,
  },
  {
    into: "commit",
    label: "As a commit on my branch",
    detail: "On top of what you have checked out now",
    icon: <GitCommitHorizontal />,
  },
  {
    into: "changes",
    label: "As uncommitted changes",
    detail: "Into your files, to look at and commit yourself",
    icon: <FilePen />,
  },
];

/** Git follows a renamed file; for an apply its old name is a file of its own. */
const pathsOf = (file: FileDiff): string[] =>
  file.from === undefined ? [file.path] : [file.from, file.path];

/** What the chosen files can become in the user's project. */
export function ApplyMenu(props: {
  files: readonly FileDiff[];
  chosen: readonly FileDiff[];
  applying: Applying;
}) {
  const { files, chosen, applying } = props;
  const some = chosen.length < files.length;
  const none = files.length > 0 && chosen.length === 0;
  const why = applying.why ?? (none ? "No file is chosen" : undefined);
  return (
    <Menu
      label="Apply the changes"
      trigger={
        <Button small why={why} isDisabled={Boolean(why) || files.length === 0}>
          {applying.pending
            ? "Applying…"
            : some
              ? `Apply ${chosen.length} of ${plural(files.length, "file")}`
              : "Apply"}{" "}
          <ChevronDown className={styles.chevron} size={14} aria-hidden="true" />
        </Button>
      }
      entries={WAYS.map(({ into, label, detail, icon }) => ({
        id: into,
        label,
        detail,
        icon,
        why: applying.whyInto(into),
        run: () => applying.start(into, some ? chosen.flatMap(pathsOf) : []),
      }))}
    />
  );
}
