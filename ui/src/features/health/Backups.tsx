import { useAction } from "../../actions/registry";
import { Badge } from "../../components/Badge";
import { Button } from "../../components/Button";
import { RelativeTime } from "../../components/figures";
import { Section } from "../../components/Page";
import { Progress } from "../../components/Progress";
import { Notice } from "../../components/states";
import { Table } from "../../components/Table";
import type { BackupFile } from "../../ipc/bindings";
import { bytes } from "../../lib/numbers";
import { useCallMutation } from "../../queries/call";
import { toast, toastError } from "../../stores/toasts";
import styles from "./HealthRoom.module.css";

/** The verified copies of the store. */
export function Backups({ backups }: { backups: readonly BackupFile[] }) {
  const make = useCallMutation("backup", {
    onDone: ({ file, warning }) =>
      toast({
        tone: warning ? "plain" : "good",
        title: warning ? "The damaged files were copied" : "Backup made and opened",
        detail: warning ? `${warning} ${file}` : file,
      }),
    onError: (error) => toastError("No backup was made", error),
  });
  useAction("health.backup", {
    run: () => make.mutate({}),
    enabled: !make.isPending || "It is under way",
  });
  return (
    <Section
      title="Backups"
      actions={
        <Button
          small
          onPress={() => make.mutate({})}
          {...(make.isPending ? { why: "It is under way" } : {})}
        >
          Back up now
        </Button>
      }
    >
      {make.isPending && <Progress label="Making a backup" />}
      {backups.length === 0 ? (
        <p>There is none yet; one is made every day, and before every migration.</p>
      ) : (
        <Table<BackupFile>
          label="Backups"
          rows={backups}
          keyOf={(backup) => backup.file}
          columns={[
            { id: "at", title: "Made", cell: (backup) => <RelativeTime at={backup.at} /> },
            {
              id: "file",
              title: "File",
              cell: (backup) => <span className={styles.path}>{backup.file}</span>,
            },
            {
              id: "verified",
              title: "Opened",
              cell: (backup) =>
                backup.verified ? <Badge tone="good">Yes</Badge> : <Badge tone="warn">No</Badge>,
            },
            { id: "bytes", title: "Size", numeric: true, cell: (backup) => bytes(backup.bytes) },
          ]}
        />
      )}
      <Notice>
        To put one in the store's place, run <code>longhaul restore FILE</code> in a terminal: it
        says what would be lost, and keeps what is there now.
      </Notice>
    </Section>
  );
}
