import { Duration, RelativeTime } from "../../components/figures";
import { Loaded } from "../../components/Loaded";
import { Facts, Section } from "../../components/Page";
import { Table } from "../../components/Table";
import type { IdleRule, ReviewFigures, RuleFigure } from "../../ipc/bindings";
import { count, plural } from "../../lib/numbers";
import { plain } from "../../lib/plain";
import { useCall } from "../../queries/call";
import styles from "./HealthRoom.module.css";

const share = (perMille: number | null): string =>
  perMille === null ? "nothing to say yet" : `${(perMille / 10).toFixed(1)} %`;

/** How often people are asked, how long they take, and how often it was wrong. */
export function Figures() {
  const figures = useCall("review_figures", {});
  return (
    <Section title="Reviews of the last 30 days">
      <Loaded query={figures} what="the figures of reviews" lines={4}>
        {(data) => <Shown figures={data} />}
      </Loaded>
    </Section>
  );
}

function Shown({ figures }: { figures: ReviewFigures }) {
  return (
    <>
      <Facts
        facts={[
          ["Asked", plural(figures.asked, "review")],
          [
            "Of tool calls",
            `${share(figures.asked_per_mille)} (${count(figures.calls_asked)} of ${count(figures.calls)})`,
          ],
          [
            "Half decided within",
            figures.median_ms === null ? (
              "nothing was decided"
            ) : (
              <Duration key="median" ms={figures.median_ms} />
            ),
          ],
          [
            "Later reverted",
            `${share(figures.reverted_per_mille)} (${count(figures.undone)} undone, ${count(figures.rolled_back)} rolled back)`,
          ],
        ]}
      />
      {figures.rules.length > 0 && (
        <Table<RuleFigure>
          label="Rules that spoke"
          rows={figures.rules.slice(0, 20)}
          keyOf={(rule) => `${rule.verdict} ${rule.rule}`}
          columns={[
            { id: "rule", title: "Rule", cell: (rule) => plain(rule.rule) },
            { id: "verdict", title: "Says", cell: (rule) => rule.verdict },
            { id: "calls", title: "Calls", numeric: true, cell: (rule) => count(rule.calls) },
          ]}
        />
      )}
      <Idle figures={figures} />
    </>
  );
}

/** Rules that decided nothing: those somebody wrote by name, built-in ones by number. */
function Idle({ figures }: { figures: ReviewFigures }) {
  const idle = figures.idle_rules ?? [];
  const own = idle.filter((rule) => rule.file !== null);
  const builtIn = idle.length - own.length;
  if (!figures.idle_since) return null;
  return (
    <>
      {own.length > 0 && (
        <Table<IdleRule>
          label="Rules that decided nothing"
          rows={own}
          keyOf={(rule) => `${rule.rule_id} ${rule.project}`}
          columns={[
            { id: "rule", title: "Rule that decided nothing", cell: (rule) => plain(rule.name) },
            { id: "verdict", title: "Would say", cell: (rule) => rule.outcome },
            { id: "where", title: "Written in", cell: (rule) => plain(rule.file ?? "") },
            { id: "project", title: "For", cell: (rule) => plain(rule.project ?? "all projects") },
          ]}
        />
      )}
      <p className={styles.note}>
        {plural(idle.length, "rule")} in force
        {builtIn > 0 && ` (${count(builtIn)} of them built in)`} decided nothing; counted from{" "}
        <RelativeTime at={figures.idle_since} />.
      </p>
    </>
  );
}
