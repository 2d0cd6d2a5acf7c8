import type { ReactNode } from "react";
import { Notice } from "../../components/states";
import type { ConsequencesView, FileChange } from "../../ipc/bindings";
import { count, plural } from "../../lib/numbers";
import { oneLine, plain } from "../../lib/plain";
import styles from "./Travel.module.css";

/** What going back undoes, what it cannot undo, and what it cannot restore. */
export function Preview({ of, isFork }: { of: ConsequencesView; isFork: boolean }) {
  return (
    <>
      {of.not_undone.length > 0 && (
        <Notice
          tone="warn"
          title={`${plural(of.not_undone.length, "thing")} happened since and ${of.not_undone.length === 1 ? "is" : "are"} not taken back`}
        >
          <ul className={styles.list} aria-label="What is not taken back">
            {of.not_undone.map((effect) => (
              <li key={effect.op}>
                <span className={styles.soft}>Step {effect.step}</span>{" "}
                <code>{oneLine(effect.summary, 200)}</code>
              </li>
            ))}
          </ul>
        </Notice>
      )}
      {of.remarks.length > 0 && (
        <Notice tone="warn" title="Not exactly as it was">
          <ul className={styles.list} aria-label="What is not restored exactly">
            {of.remarks.map((remark) => (
              <li key={remark}>{plain(remark)}</li>
            ))}
          </ul>
        </Notice>
      )}
      {!isFork && of.reviews_withdrawn.length > 0 && (
        <Part title={`${plural(of.reviews_withdrawn.length, "review")} withdrawn`}>
          {of.reviews_withdrawn.map((title) => (
            <li key={title}>{oneLine(title, 160)}</li>
          ))}
        </Part>
      )}
      {of.files_changed === 0 ? (
        <p className={styles.soft}>
          {isFork
            ? "Its files are the same there as now."
            : "No file changes: they are the same there as now."}
        </p>
      ) : (
        <Part
          title={
            isFork
              ? `${plural(of.files_changed, "file")} changed since, which the fork does not have`
              : `${plural(of.files_changed, "file")} ${of.files_changed === 1 ? "goes" : "go"} back`
          }
        >
          {of.files.map((file) => (
            <li key={file.path}>
              <code>{plain(file.path)}</code> <span className={styles.soft}>{was(file)}</span>
            </li>
          ))}
          {of.files_changed > of.files.length && (
            <li className={styles.soft}>and {count(of.files_changed - of.files.length)} more</li>
          )}
        </Part>
      )}
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={styles.part} aria-label={title}>
      <h3 className={styles.title}>{title}</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <ul className={styles.files} tabIndex={0} aria-label={title}>
        {children}
      </ul>
    </section>
  );
}

function was(file: FileChange): string {
  const lines =
    file.added === null || file.removed === null
      ? "binary"
      : `+${count(file.added)} −${count(file.removed)}`;
  return `${file.change} since, ${lines}`;
}
