import { CodeBlock } from "../../components/CodeBlock";
import { DiffView } from "../../components/DiffView";
import { Markdown } from "../../components/Markdown";
import { Facts } from "../../components/Page";
import { Notice } from "../../components/states";
import type { OpDetail, ReviewView } from "../../ipc/bindings";
import { looksLikeDiff } from "../../lib/diff";
import { plain } from "../../lib/plain";
import { type Argument, askedOf, type Touch, touchesOf } from "./asked";
import styles from "./ReviewPanel.module.css";

/** What is asked, in full: the command, the change, the question or the evidence. */
export function AskedView({ review, op }: { review: ReviewView; op: OpDetail | null }) {
  switch (review.kind) {
    case "question":
    case "doubt":
      return <Markdown text={review.detail} />;
    case "in_doubt":
      return (
        <>
          <CallView text={review.arguments ?? op?.arguments ?? null} fallback="" />
          <h3 className={styles.label}>What is known</h3>
          <CodeBlock text={review.detail} label="Evidence" wrap maxHeight={28} />
        </>
      );
    case "conflict":
      return <CodeBlock text={review.detail} label="Both sides" maxHeight={32} />;
    case "verify_failed":
      return <CodeBlock text={review.detail} label="Output of the verify command" maxHeight={32} />;
    case "budget":
    case "auth":
    case "dependency":
    case "stalled":
    case "limit_wait":
      return review.detail ? <p className={styles.prose}>{plain(review.detail)}</p> : null;
    default:
      return (
        <CallView
          text={review.arguments ?? op?.arguments ?? null}
          fallback={review.detail || op?.op.summary || ""}
        />
      );
  }
}

function CallView({ text, fallback }: { text: string | null; fallback: string }) {
  const asked = askedOf(text);
  if (!asked) {
    if (!fallback) return null;
    return looksLikeDiff(fallback) ? (
      <Diff text={fallback} />
    ) : (
      <CodeBlock text={fallback} label="What is asked" wrap maxHeight={32} />
    );
  }
  return (
    <>
      {asked.shape === "command" && (
        <>
          <CodeBlock text={asked.command} label="Command" wrap maxHeight={24} />
          <Touches touches={touchesOf(asked.command)} />
        </>
      )}
      {asked.shape === "change" && <Diff text={asked.diff} />}
      <Rest rest={asked.rest} />
    </>
  );
}

/** Rows of a diff are laid out by the view itself; a short one must not stand in a tall box. */
function Diff({ text }: { text: string }) {
  const lines = text.split("\n").filter((line) => !/^(---|\+\+\+|diff |index )/.test(line)).length;
  return (
    <div className={styles.diff} style={{ height: `${Math.min(32, 3 + lines * 1.25)}rem` }}>
      <DiffView diff={text} tree={false} />
    </div>
  );
}

function Rest({ rest }: { rest: readonly Argument[] }) {
  if (rest.length === 0) return null;
  const long = rest.filter((a) => a.text.length > 120 || a.text.includes("\n"));
  const short = rest.filter((a) => !long.includes(a));
  return (
    <>
      {short.length > 0 && (
        <Facts
          facts={short.map((a) => [plain(a.name), <code key={a.name}>{plain(a.text)}</code>])}
        />
      )}
      {long.map((a) => (
        <div key={a.name}>
          <h3 className={styles.label}>{plain(a.name)}</h3>
          <CodeBlock text={a.text} label={plain(a.name)} wrap maxHeight={20} />
        </div>
      ))}
    </>
  );
}

const KIND_WORDS: Record<Touch["kind"], string> = {
  path: "Outside its folder",
  host: "Host",
  power: "Program",
};

function Touches({ touches }: { touches: readonly Touch[] }) {
  if (touches.length === 0) return null;
  return (
    <Notice>
      <ul className={styles.touches} aria-label="What the command touches">
        {touches.map((touch) => (
          <li key={touch.what}>
            <span className={styles.faint}>{KIND_WORDS[touch.kind]}</span>{" "}
            <code>{plain(touch.what)}</code>
          </li>
        ))}
      </ul>
      <p className={styles.faint}>As far as its words tell; a command can do more.</p>
    </Notice>
  );
}
