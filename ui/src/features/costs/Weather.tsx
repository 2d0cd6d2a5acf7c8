import { StatePill } from "../../components/Badge";
import { Countdown } from "../../components/figures";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import type { BucketView } from "../../ipc/bindings";
import { useCall } from "../../queries/call";
import { gateWords } from "../../queries/gate-words";
import styles from "./CostsRoom.module.css";

/** How the providers' limits are, a line a credential: Health has the figures. */
export function Weather() {
  const limits = useCall("limits", {}, { everyMs: 15_000 });
  return (
    <Section title="Rate limits">
      <Loaded query={limits} what="the rate limits" lines={1}>
        {({ limits: gates }) =>
          gates.length === 0 ? (
            <p className={styles.note}>No call was made yet, so nothing is known of any limit.</p>
          ) : (
            <ul className={styles.weather}>
              {gates.map((gate) => (
                <li key={gate.name}>
                  <strong>{gate.backends.join(", ") || gate.name}</strong>
                  <GateState gate={gate} />
                  {gate.until && <Countdown until={gate.until} />}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Section>
  );
}

function GateState({ gate }: { gate: BucketView }) {
  const { words, ...pill } = gateWords(gate);
  return <StatePill {...pill}>{words}</StatePill>;
}
