import { FolderOpen, History } from "lucide-react";
import { useState } from "react";
import { Button } from "../../components/Button";
import { TextField } from "../../components/fields";
import { Menu } from "../../components/Menu";
import { Notice } from "../../components/states";
import type { ProjectFacts } from "../../ipc/bindings";
import { baseName, plural } from "../../lib/numbers";
import { oneLine, plain } from "../../lib/plain";
import { useCall } from "../../queries/call";
import { useNative } from "../../queries/link";
import { toastError } from "../../stores/toasts";
import { changeDraft, useDraft } from "./draft";
import { FolderDialog } from "./FolderDialog";
import styles from "./NewRunRoom.module.css";

const RECENT = 12;

/** Which folder, chosen by dialog, from the recent ones or typed. */
export function Project({ facts }: { facts: ProjectFacts | undefined }) {
  const { project } = useDraft();
  const native = useNative();
  const recent = useCall("projects", {});
  const [choosing, setChoosing] = useState(false);
  const choose = () => {
    if (!native) return setChoosing(true);
    native
      .chooseFolder(project || null)
      .then((path) => path && changeDraft({ project: path }))
      .catch((error: unknown) => toastError("The folder could not be chosen", error));
  };
  const known = recent.data?.projects.slice(0, RECENT) ?? [];
  return (
    <div className={styles.group}>
      <div className={styles.row}>
        <div className={styles.grow}>
          <TextField
            label="Project folder"
            value={project}
            onChange={(text) => changeDraft({ project: text })}
            placeholder="/home/you/project"
            mono
            error={facts && !facts.exists ? "There is no such folder" : null}
          />
        </div>
        <Button icon={<FolderOpen />} onPress={choose}>
          Choose…
        </Button>
        {known.length > 0 && (
          <Menu
            label="Recent projects"
            trigger={<Button icon={<History />}>Recent</Button>}
            entries={known.map(({ path, runs }) => ({
              id: path,
              label: `${baseName(path)} (${plural(runs, "run")})`,
              run: () => changeDraft({ project: path }),
            }))}
          />
        )}
      </div>
      {facts?.exists && <Facts facts={facts} />}
      <FolderDialog
        open={choosing}
        start={project}
        onClose={() => setChoosing(false)}
        onChoose={(path) => changeDraft({ project: path })}
      />
    </div>
  );
}

function Facts({ facts }: { facts: ProjectFacts }) {
  const { workspace } = useDraft();
  const parts = [
    facts.git ? `git, on ${oneLine(facts.branch ?? "no branch", 60)}` : "a folder without git",
    facts.instructions.length > 0 &&
      `reads ${facts.instructions.map((f) => oneLine(f, 40)).join(", ")}`,
  ].filter(Boolean);
  return (
    <>
      <p className={styles.soft}>
        {parts.join(" · ")}
        {workspace !== "in-place" &&
          (facts.git
            ? ". The run works in its own clone; yours stays as it is."
            : ". The run works in its own copy; yours stays as it is.")}
      </p>
      {facts.uncommitted > 0 && workspace !== "in-place" && (
        <Notice
          tone="warn"
          title={`${plural(facts.uncommitted, "uncommitted change")} in this folder`}
        >
          A clone begins at the last commit: the run will not see them. Commit first if it should.
        </Notice>
      )}
      {facts.note && <Notice>{plain(facts.note)}</Notice>}
    </>
  );
}
