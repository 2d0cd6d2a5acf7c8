import { Button } from "../../components/Button";
import { Money, RelativeTime } from "../../components/figures";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { Notice } from "../../components/states";
import type { CatchUp } from "../../ipc/bindings";
import { count, plural } from "../../lib/numbers";
import { oneLine, plain } from "../../lib/plain";
import { useCall, useCallMutation } from "../../queries/call";
import { useWhyNot } from "../../stores/connection";
import { PlaceLink } from "../../stores/navigation";
import { toastError } from "../../stores/toasts";
import styles from "./CatchUp.module.css";

/** What happened since the user last looked, in whatever window or terminal that was. */
export function CatchUpTab() {
  const seen = useCall("catch_up", {});
  return (
    <div className={styles.page}>
      <Loaded query={seen} what="what happened" lines={6}>
        {(data) => <Happened seen={data} />}
      </Loaded>
    </div>
  );
}

function Happened({ seen }: { seen: CatchUp }) {
  const why = useWhyNot();
  const looked = useCallMutation("caught_up", {
    onError: (error) => toastError("It could not be remembered", error),
  });
  const nothing = seen.runs.length + seen.applied.length + seen.decisions.length === 0;
  return (
    <>
      <Section
        title={seen.looked_before ? "Since you last looked" : "In the last day"}
        actions={
          <Button small why={why} onPress={() => looked.mutate({ cursor: seen.cursor })}>
            I have seen it
          </Button>
        }
      >
        <p>
          <RelativeTime at={seen.since} />: {plural(seen.runs.length, "run")} ended or stopped,{" "}
          {plural(seen.decisions.length, "decision")}, <Money usd={seen.cost_usd} /> spent. Rules
          let {count(seen.allowed)} calls run and refused {count(seen.refused)}. Now{" "}
          {plural(seen.live, "run")} {seen.live === 1 ? "goes" : "go"} on and{" "}
          {plural(seen.open_reviews, "review")} {seen.open_reviews === 1 ? "waits" : "wait"} for
          you.
        </p>
        {nothing && <p>Nothing ended and nothing was decided.</p>}
        {seen.more && <Notice>More happened, further back: the list of runs has it.</Notice>}
      </Section>
      {seen.runs.length > 0 && (
        <Section title="Runs">
          <ul aria-label="Runs that ended or stopped">
            {seen.runs.map((run) => (
              <li key={run.run}>
                <PlaceLink to={{ room: "run", run: run.run }}>{oneLine(run.title, 120)}</PlaceLink>{" "}
                {run.state} <RelativeTime at={run.at} />, <Money usd={run.cost_usd} />
                {run.why && <p>{plain(run.why)}</p>}
              </li>
            ))}
          </ul>
        </Section>
      )}
      {seen.applied.length > 0 && (
        <Section title="Applied">
          <ul aria-label="Results that were applied">
            {seen.applied.map((one) => (
              <li key={`${one.run} ${one.at}`}>
                <PlaceLink to={{ room: "run", run: one.run }}>{oneLine(one.title, 120)}</PlaceLink>{" "}
                → <code>{plain(one.target)}</code> <RelativeTime at={one.at} />
              </li>
            ))}
          </ul>
        </Section>
      )}
      {seen.decisions.length > 0 && (
        <Section title="Decisions">
          <ul aria-label="Decisions">
            {seen.decisions.map((one) => (
              <li key={`${one.review} ${one.at}`}>
                <strong>{plain(one.choice)}</strong> by {plain(one.by)}: {oneLine(one.title, 120)}{" "}
                <RelativeTime at={one.at} />
              </li>
            ))}
          </ul>
        </Section>
      )}
    </>
  );
}
