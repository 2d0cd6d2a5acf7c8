import { useState } from "react";
import { useAction } from "../../actions/registry";
import { Badge, type Tone } from "../../components/Badge";
import { Button } from "../../components/Button";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { Progress } from "../../components/Progress";
import type { Finding, FindingLevel } from "../../ipc/bindings";
import { useCall } from "../../queries/call";
import styles from "./HealthRoom.module.css";

const LEVELS: Record<FindingLevel, { tone: Tone; word: string }> = {
  ok: { tone: "good", word: "In order" },
  warning: { tone: "warn", word: "Worth knowing" },
  problem: { tone: "bad", word: "Broken" },
};

const WORST_FIRST: readonly FindingLevel[] = ["problem", "warning", "ok"];

/** The store, examined: on request, because it reads all of it. */
export function Doctor() {
  const [wanted, setWanted] = useState(false);
  const report = useCall("doctor", {}, { enabled: wanted });
  const examine = () => {
    if (wanted) void report.refetch();
    else setWanted(true);
  };
  useAction("health.doctor", { run: examine, enabled: !report.isFetching || "It is under way" });
  return (
    <Section
      title="Doctor"
      actions={
        <Button small onPress={examine} {...(report.isFetching ? { why: "It is under way" } : {})}>
          Examine the store
        </Button>
      }
    >
      {report.isFetching && <Progress label="Examining the store" />}
      {!wanted ? (
        <p className={styles.note}>
          Checks every journal's chain, every blob and every projection, and says what is wrong.
        </p>
      ) : (
        <Loaded query={report} what="the doctor's findings" lines={3}>
          {({ findings }) => (
            <ul className={styles.findings}>
              {WORST_FIRST.flatMap((level) => findings.filter((f) => f.level === level)).map(
                (finding) => (
                  <FindingLine key={`${finding.area} ${finding.what}`} finding={finding} />
                ),
              )}
            </ul>
          )}
        </Loaded>
      )}
    </Section>
  );
}

function FindingLine({ finding }: { finding: Finding }) {
  const level = LEVELS[finding.level];
  return (
    <li className={styles.finding}>
      <span>
        <Badge tone={level.tone}>{level.word}</Badge>
      </span>
      <p>
        <strong>{finding.area}</strong>: {finding.what}
      </p>
      {finding.advice && <p className={styles.advice}>{finding.advice}</p>}
    </li>
  );
}
