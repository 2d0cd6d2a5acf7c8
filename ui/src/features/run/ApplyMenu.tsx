import { ChevronDown, FilePen, GitBranch, GitCommitHorizontal } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "../../components/Button";
import { Menu } from "../../components/Menu";
import type { ApplyInto } from "../../ipc/bindings";
import { plural } from "../../lib/numbers";
import type { Chosen, Wish } from "./apply-parts";
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

/** What the chosen files can become in the user's project. */
export function ApplyMenu(props: {
  /** How many files changed. */
  files: number;
  chosen: Wish & Chosen;
  applying: Applying;
}) {
  const { files, chosen, applying } = props;
  const many = chosen.whole + chosen.inPart;
  const none = files > 0 && many === 0;
  const why = applying.why ?? (none ? "No file is chosen" : undefined);
  return (
    <Menu
      label="Apply the changes"
      trigger={
        <Button small why={why} isDisabled={Boolean(why) || files === 0}>
          {applying.pending
            ? "Applying…"
            : chosen.whole < files
              ? `Apply ${many} of ${plural(files, "file")}${chosen.inPart > 0 ? `, ${chosen.inPart} in part` : ""}`
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
        run: () => applying.start(into, chosen),
      }))}
    />
  );
}
