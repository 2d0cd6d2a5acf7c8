import { CornerLeftUp, Folder, FolderGit2 } from "lucide-react";
import { useState } from "react";
import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Loaded } from "../../components/Loaded";
import { oneLine } from "../../lib/plain";
import { useCall } from "../../queries/call";
import styles from "./NewRunRoom.module.css";

/** Chooses a folder of the daemon's machine, where there is no system dialog. */
export function FolderDialog(props: {
  open: boolean;
  start: string;
  onClose: () => void;
  onChoose: (path: string) => void;
}) {
  return (
    <Dialog title="Choose a project folder" open={props.open} onClose={props.onClose} wide>
      <Folders {...props} />
    </Dialog>
  );
}

function Folders(props: { start: string; onClose: () => void; onChoose: (path: string) => void }) {
  const [path, setPath] = useState<string | null>(props.start || null);
  const folders = useCall("folders", { path }, { keepPrevious: true });
  const inside = (name: string, at: string) => `${at.replace(/\/$/, "")}/${name}`;
  return (
    <Loaded query={folders} what="the folders">
      {(at) => (
        <>
          <p className={styles.path}>{at.path}</p>
          <ul className={styles.folders} aria-label={`Folders in ${at.path}`}>
            {at.parent !== null && (
              <li>
                <button type="button" onClick={() => setPath(at.parent)}>
                  <CornerLeftUp aria-hidden="true" /> The folder above
                </button>
              </li>
            )}
            {at.folders.map((folder) => (
              <li key={folder.name}>
                <button type="button" onClick={() => setPath(inside(folder.name, at.path))}>
                  {folder.git ? <FolderGit2 aria-hidden="true" /> : <Folder aria-hidden="true" />}
                  {oneLine(folder.name)}
                  {folder.git && <span className={styles.soft}>git</span>}
                </button>
              </li>
            ))}
            {at.folders.length === 0 && <li className={styles.soft}>No folders in it</li>}
          </ul>
          <div className={styles.buttons}>
            <Button onPress={props.onClose}>Cancel</Button>
            <Button
              look="primary"
              onPress={() => {
                props.onClose();
                props.onChoose(at.path);
              }}
            >
              Choose this folder
            </Button>
          </div>
        </>
      )}
    </Loaded>
  );
}
