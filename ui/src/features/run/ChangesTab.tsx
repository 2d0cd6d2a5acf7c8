import { MessageSquarePlus, RefreshCw, Trash2 } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { Button, IconButton } from "../../components/Button";
import { CodeBlock } from "../../components/CodeBlock";
import { DiffView, type Ticks } from "../../components/DiffView";
import { TextField } from "../../components/fields";
import { Duration, RelativeTime } from "../../components/figures";
import { EmptyState, ErrorState, Notice, Skeleton } from "../../components/states";
import type { DiffView as Diff, OpView, RunView, TestChange } from "../../ipc/bindings";
import { type DiffLine, type FileDiff, parseDiff } from "../../lib/diff";
import { plural } from "../../lib/numbers";
import { plain } from "../../lib/plain";
import { useCall, useCallMutation } from "../../queries/call";
import { useDiff, useSteps } from "../../queries/run";
import { useWhyNot } from "../../stores/connection";
import { toast, toastError } from "../../stores/toasts";
import { ApplyMenu } from "./ApplyMenu";
import { choices, wishOf } from "./apply-parts";
import { stateOf } from "./CallView";
import styles from "./ChangesTab.module.css";
import { type Comment, composed } from "./comments";
import { setApplied, useLeftOut } from "./run-state";
import type { RunActions } from "./use-run-actions";

/** What the run changed: read it, comment on it, take it over or throw it away. */
export function ChangesTab(props: {
  run: string;
  view: RunView | undefined;
  live: boolean;
  actions: RunActions;
}) {
  const { run, actions } = props;
  const diff = useDiff(run, props.live);
  const [comments, setComments] = useState<readonly Comment[]>([]);
  const [about, setAbout] = useState<Comment | null>(null);

  const aside = useCallback(
    (path: string, line: DiffLine) =>
      line.kind === "note" ? null : (
        <span className={styles.comment}>
          <IconButton
            label={`Comment on ${line.kind === "removed" ? "removed line " : ""}${plain(path)}:${line.after ?? line.before}`}
            icon={<MessageSquarePlus size={14} />}
            onPress={() =>
              setAbout({
                path,
                line: line.after ?? line.before ?? 0,
                removed: line.kind === "removed",
                code: line.text,
                text: "",
              })
            }
          />
        </span>
      ),
    [],
  );

  const { files, chosen, parts: choosable, ticks } = useChosen(run, diff.data);
  // What worked in place is there already, and what is one part is applied whole.
  const kind = props.view?.workspace.kind;
  const parts = choosable > 1 && (kind === "clone" || kind === "copy");
  return (
    <div className={styles.changes}>
      <h2 className="hidden-words">Changes</h2>
      <div className={styles.bar}>
        <span className={styles.count}>
          {diff.data &&
            (files.length === 0 ? "No files changed" : `${plural(files.length, "file")} changed`)}
        </span>
        <Button
          small
          look="quiet"
          icon={<RefreshCw size={16} />}
          isDisabled={diff.isFetching}
          onPress={() => void diff.refetch()}
        >
          Look again
        </Button>
        <ApplyMenu files={files.length} chosen={chosen} applying={actions.apply} />
        <Button
          small
          look="danger"
          icon={<Trash2 size={16} />}
          why={actions.why.discard}
          onPress={() => actions.confirm("discard")}
        >
          Discard…
        </Button>
      </div>
      <Verify run={run} />
      <TestsChanged changes={props.view?.tests_changed ?? []} />
      {about && (
        <CommentForm
          key={`${about.path}:${about.line}`}
          about={about}
          onAdd={(comment) => {
            setComments((before) => [...before, comment]);
            setAbout(null);
          }}
          onCancel={() => setAbout(null)}
        />
      )}
      {comments.length > 0 && (
        <Comments
          run={run}
          comments={comments}
          onRemove={(comment) => setComments((before) => before.filter((c) => c !== comment))}
          onSent={() => setComments([])}
        />
      )}
      {diff.data ? (
        <DiffView diff={files} aside={aside} ticks={parts ? ticks : undefined} />
      ) : diff.error ? (
        props.view?.workspace.discarded ? (
          <EmptyState title="The workspace is discarded">
            What was applied to a branch is still in your repository.
          </EmptyState>
        ) : (
          <ErrorState
            title="Could not read the changes"
            error={diff.error}
            onRetry={() => void diff.refetch()}
          />
        )
      ) : (
        <Skeleton lines={8} label="Reading the changes…" />
      )}
    </div>
  );
}

const NONE: ReadonlySet<string> = new Set();

/** The changed files, and what of them is to be applied. */
function useChosen(run: string, diff: Diff | undefined) {
  const left = useLeftOut((s) => s.leftOut.get(run)) ?? NONE;
  const files = useMemo<readonly FileDiff[]>(() => parseDiff(diff?.diff ?? ""), [diff]);
  const all = useMemo(() => choices(files, diff?.hunks ?? []), [files, diff]);
  const chosen = useMemo(() => wishOf(all, left), [all, left]);
  const ticks = useMemo<Ticks>(() => {
    const parts = new Map(all.map((choice) => [choice.file, choice.parts]));
    return {
      verb: "Apply",
      of: (file) => parts.get(file) ?? [],
      on: (part) => !left.has(part),
      set: (parts, on) => setApplied(run, parts, on),
    };
  }, [run, all, left]);
  return { files, chosen, parts: all.flatMap((choice) => choice.parts).length, ticks };
}

function CommentForm(props: {
  about: Comment;
  onAdd: (comment: Comment) => void;
  onCancel: () => void;
}) {
  const { about } = props;
  const [text, setText] = useState("");
  const add = () => text.trim() && props.onAdd({ ...about, text: text.trim() });
  return (
    <form
      className={styles.form}
      aria-label="Comment"
      onSubmit={(event) => {
        event.preventDefault();
        add();
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") props.onCancel();
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          add();
        }
      }}
    >
      <code className={styles.quoted}>
        {plain(about.path)}:{about.line} {plain(about.code)}
      </code>
      <TextField
        label="Your comment"
        labelHidden
        rows={2}
        autoFocus
        value={text}
        onChange={setText}
      />
      <div className={styles.buttons}>
        <Button small onPress={props.onCancel}>
          Cancel
        </Button>
        <Button small look="primary" type="submit" keys="mod+enter" isDisabled={!text.trim()}>
          Add the comment
        </Button>
      </div>
    </form>
  );
}

function Comments(props: {
  run: string;
  comments: readonly Comment[];
  onRemove: (comment: Comment) => void;
  onSent: () => void;
}) {
  const why = useWhyNot();
  const send = useCallMutation("message", {
    onDone: () => {
      props.onSent();
      toast({
        tone: "good",
        title: "The comments are sent",
        detail: "The agent hears them with its next model call.",
      });
    },
    onError: (error) => toastError("The comments were not sent", error),
  });
  return (
    <section className={styles.comments} aria-label="Comments to send">
      <ul>
        {props.comments.map((comment) => (
          <li key={`${comment.path}:${comment.line}:${comment.text}`}>
            <code>
              {plain(comment.path)}:{comment.line}
            </code>
            <span className={styles.words}>{plain(comment.text)}</span>
            <Button small look="quiet" onPress={() => props.onRemove(comment)}>
              Remove
            </Button>
          </li>
        ))}
      </ul>
      <Button
        look="primary"
        why={why}
        isDisabled={Boolean(why) || send.isPending}
        onPress={() => send.mutate({ run: props.run, text: composed(props.comments) })}
      >
        Send {plural(props.comments.length, "comment")} to the agent
      </Button>
    </section>
  );
}

/** What judges the work was changed by the work: whoever takes it over looks at that first. */
function TestsChanged({ changes }: { changes: readonly TestChange[] }) {
  if (changes.length === 0) return null;
  return (
    <div className={styles.verify}>
      <Notice
        tone="warn"
        title={`It changed ${plural(changes.length, "file")} of what judges it: what passed may have been weakened`}
      >
        <ul aria-label="Changed tests and their settings">
          {changes.map((change) => (
            <li key={change.path}>
              <code>{plain(change.path)}</code> {plain(change.reason)}
            </li>
          ))}
        </ul>
      </Notice>
    </div>
  );
}

/** The verify command's last run, wherever it stands in the newest steps. */
function Verify({ run }: { run: string }) {
  const steps = useSteps(run, []);
  let last: OpView | undefined;
  for (let step = steps.total ?? -1; step >= 0 && !last; step--) {
    const view = steps.step(step);
    if (!view) break;
    last = view.ops.findLast((op) => op.kind === "verify");
  }
  return last ? <VerifyOutput run={run} op={last} /> : null;
}

function VerifyOutput({ run, op }: { run: string; op: OpView }) {
  const [open, setOpen] = useState(false);
  const detail = useCall("op", { run, op: op.id }, { enabled: open });
  const state = stateOf(op);
  const passed = op.state === "finished" && op.outcome === "ok";
  return (
    <div className={styles.verify}>
      <Notice
        tone={passed ? "good" : state?.tone === "bad" ? "bad" : "plain"}
        title={passed ? "Verified" : `Verify: ${state?.words ?? "failed"}`}
        action={
          <Button small look="quiet" aria-expanded={open} onPress={() => setOpen(!open)}>
            {open ? "Hide the output" : "Show the output"}
          </Button>
        }
      >
        <code>{plain(op.summary)}</code>{" "}
        {op.started_at && <Duration from={op.started_at} to={op.ended_at} />}{" "}
        {op.ended_at && <RelativeTime at={op.ended_at} />}
      </Notice>
      {open &&
        (detail.data ? (
          <CodeBlock
            text={detail.data.result ?? detail.data.error ?? "It printed nothing."}
            label="Output of the verify command"
            maxHeight={20}
          />
        ) : detail.error ? (
          <Notice tone="bad" title="The output could not be read">
            {detail.error.message}
          </Notice>
        ) : (
          <Skeleton lines={3} label="Reading the output…" />
        ))}
    </div>
  );
}
