import type { ReactNode } from "react";
import { StatePill, type Tone } from "../../components/Badge";
import { Duration } from "../../components/figures";
import type { DaemonMode, Health, SandboxState } from "../../ipc/bindings";
import { bytes, plural } from "../../lib/numbers";
import { plain } from "../../lib/plain";
import { useConnection } from "../../stores/connection";
import { PlaceLink } from "../../stores/navigation";
import styles from "./HealthRoom.module.css";

const MODES: Record<DaemonMode, { tone: Tone; words: string }> = {
  normal: { tone: "good", words: "Running" },
  draining: { tone: "warn", words: "About to stop: no run starts" },
  maintenance: { tone: "bad", words: "Maintenance: the store cannot be opened" },
};

/** Less than this is little: a run's clone alone may need as much. */
const LITTLE_SPACE = 5e9;

/** One glance: daemon, slots, space, keychain, service. */
export function Cards({ health }: { health: Health }) {
  const { daemon } = health;
  const connection = useConnection((s) => s.connection.state);
  const mode = MODES[daemon.mode];
  return (
    <div className={styles.top}>
      <Card title="Daemon">
        {connection === "lost" ? (
          <StatePill tone="bad">Cannot be reached; this is how it was</StatePill>
        ) : (
          <StatePill tone={daemon.trouble ? "bad" : mode.tone}>{mode.words}</StatePill>
        )}
        {daemon.trouble && <p>{daemon.trouble}</p>}
        <p>
          Version {daemon.version}, process {daemon.pid}, up for{" "}
          <Duration ms={daemon.uptime_s * 1000} />
        </p>
        <p>{daemon.home}</p>
        {daemon.listen && <p>Browsers are served at {daemon.listen}</p>}
      </Card>
      <Card title="Slots">
        <StatePill tone={daemon.slots_used > 0 ? "busy" : "calm"} moving={daemon.slots_used > 0}>
          {daemon.slots_used} of {daemon.slots} in use
        </StatePill>
        <p>{runsByState(daemon.runs)}</p>
      </Card>
      <Card title="Free space">
        <StatePill tone={health.free_bytes < LITTLE_SPACE ? "warn" : "good"}>
          {bytes(health.free_bytes)}
        </StatePill>
        {health.free_bytes < LITTLE_SPACE && (
          <p>That is little: discard the workspaces of runs that are done, or free some space.</p>
        )}
      </Card>
      <Card title="Keychain">
        <StatePill tone={health.keychain.ok ? "good" : "bad"}>
          {health.keychain.ok ? "Works" : "Does not work"}
        </StatePill>
        <p>{health.keychain.words}</p>
      </Card>
      {health.sandbox && <SandboxCard sandbox={health.sandbox} />}
      {daemon.webhook && (
        <Card title="Webhook">
          <StatePill tone={daemon.webhook.ok ? "good" : "bad"}>
            {daemon.webhook.ok ? "Works" : "Is not reached"}
          </StatePill>
          <p>
            {plain(daemon.webhook.host)}: {plain(daemon.webhook.words)}
          </p>
          <p>
            <PlaceLink to={{ room: "settings", section: "webhook" }}>Test or change it</PlaceLink>
          </p>
        </Card>
      )}
      <Card title="Service">
        <StatePill tone={health.service.installed ? "good" : "calm"}>
          {health.service.installed ? "Installed" : "Not installed"}
        </StatePill>
        <p>{health.service.words}</p>
      </Card>
    </div>
  );
}

/** Whether commands are kept from everything but a run's files, and what to do where not. */
function SandboxCard({ sandbox }: { sandbox: SandboxState }) {
  return (
    <Card title="Sandbox">
      <StatePill tone={sandbox.used ? "good" : "warn"}>
        {sandbox.used
          ? "Commands run in it"
          : sandbox.available
            ? "Turned off"
            : "Not possible here"}
      </StatePill>
      <p>{plain(sandbox.detail)}</p>
    </Card>
  );
}

function runsByState(runs: Readonly<Record<string, number>>): string {
  const parts = Object.entries(runs)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`);
  const all = Object.values(runs).reduce((a, b) => a + b, 0);
  return parts.length > 0 ? `${plural(all, "run")}: ${parts.join(", ")}` : "No runs";
}

function Card(props: { title: string; children: ReactNode }) {
  return (
    <section className={styles.card} aria-label={props.title}>
      <h2>{props.title}</h2>
      {props.children}
    </section>
  );
}
