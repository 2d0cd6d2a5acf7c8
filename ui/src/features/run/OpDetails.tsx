import { CodeBlock } from "../../components/CodeBlock";
import { Markdown } from "../../components/Markdown";
import { Facts } from "../../components/Page";
import type { BlockView, OpDetail } from "../../ipc/bindings";
import { bytes } from "../../lib/numbers";
import { plain } from "../../lib/plain";
import styles from "./Timeline.module.css";
import { classWords } from "./words";

/** One operation in full. */
export function OpDetails({ detail }: { detail: OpDetail }) {
  const { op } = detail;
  const isModel = op.kind === "model";
  return (
    <>
      {!isModel && detail.arguments && (
        <div>
          <h4 className={styles.label}>Arguments</h4>
          <CodeBlock text={detail.arguments} label="Arguments" wrap maxHeight={20} />
        </div>
      )}
      {detail.edited && (
        <div>
          <h4 className={styles.label}>As changed by a person before it ran</h4>
          <CodeBlock text={detail.edited} label="Arguments as changed" wrap maxHeight={20} />
        </div>
      )}
      {detail.blocks.map((block, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: an answer's blocks never change their order
        <Block key={i} block={block} />
      ))}
      {detail.result !== null && !(isModel && detail.blocks.length > 0) && (
        <div>
          <h4 className={styles.label}>
            Result
            {detail.full_bytes !== null && ` (the end of ${bytes(detail.full_bytes)})`}
          </h4>
          <CodeBlock text={detail.result} label="Result" wrap maxHeight={28} />
        </div>
      )}
      {detail.error && <p className={styles.error}>{plain(detail.error)}</p>}
      <Facts
        facts={[
          ["Operation", `${op.id} · ${op.kind}, ${classWords(op.class)}, ${op.mode}`],
          ...(detail.rule ? [["Policy", `${detail.verdict}: ${plain(detail.rule)}`] as const] : []),
          ...(detail.call_id
            ? [["Call", <code key="call">{plain(detail.call_id)}</code>] as const]
            : []),
        ]}
      />
    </>
  );
}

const TITLES: Record<BlockView["kind"], string> = {
  text: "Said",
  thinking: "Thinking",
  tool_use: "Asked for",
  other: "Other",
};

function Block({ block }: { block: BlockView }) {
  const title = TITLES[block.kind] ?? "Other";
  if (block.kind === "thinking") {
    return (
      <details className={styles.thought}>
        <summary>{title}</summary>
        <pre className={styles.saying}>{plain(block.text)}</pre>
      </details>
    );
  }
  return (
    <div>
      <h4 className={styles.label}>{title}</h4>
      {block.kind === "text" ? (
        <Markdown text={block.text} />
      ) : (
        <CodeBlock text={block.text} label={title} wrap maxHeight={20} />
      )}
    </div>
  );
}
