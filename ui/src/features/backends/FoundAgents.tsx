import { Badge } from "../../components/Badge";
import { Button } from "../../components/Button";
import { Loaded } from "../../components/Loaded";
import { Words } from "../../components/Words";
import type { AgentFound, ServerFound } from "../../ipc/bindings";
import { oneLine } from "../../lib/plain";
import { useCall, useCallMutation } from "../../queries/call";
import { toast, toastError } from "../../stores/toasts";
import styles from "./backends.module.css";
import { freeName } from "./kinds";

/** The model servers and agents on this machine, what each needs, and a button for those that can be used. */
export function FoundAgents({ onAdded }: { onAdded: (name: string) => void }) {
  const found = useCall("agents_found", {});
  return (
    <Loaded query={found} what="the agents on this machine" lines={3}>
      {({ agents, servers = [] }) => (
        <>
          {servers.length > 0 && (
            <ul className={styles.agents} aria-label="Model servers on this machine">
              {servers.map((server) => (
                <Server key={server.base_url} server={server} onAdded={onAdded} />
              ))}
            </ul>
          )}
          <ul className={styles.agents} aria-label="Agents on this machine">
            {agents.map((agent) => (
              <Agent key={agent.program} agent={agent} onAdded={onAdded} />
            ))}
          </ul>
        </>
      )}
    </Loaded>
  );
}

function Agent({ agent, onAdded }: { agent: AgentFound; onAdded: (name: string) => void }) {
  const { data: known } = useCall("backend_list", {});
  const add = useCallMutation("backend_add", {
    onDone: (backend) => {
      toast({ tone: "good", title: `${agent.name} can be used now`, detail: agent.needs });
      onAdded(backend.name);
    },
    onError: (error) => toastError(`${agent.name} could not be added`, error),
  });
  const { kind } = agent;
  const taken = known?.backends.map((backend) => backend.name) ?? [];
  return (
    <li className={styles.agent}>
      <div className={styles.grow}>
        <div className={styles.name}>
          {agent.name} <span className={styles.soft}>{oneLine(agent.version ?? "", 40)}</span>
        </div>
        <div className={styles.soft} title={agent.path ?? undefined}>
          {agent.path ? <Words text={agent.needs} /> : "Not on this machine"}
        </div>
      </div>
      {agent.added_as.length > 0 && <Badge tone="good">Added as {agent.added_as.join(", ")}</Badge>}
      {agent.path && kind && agent.added_as.length === 0 && (
        <Button
          small
          isDisabled={add.isPending}
          aria-label={`Use ${agent.name}`}
          onPress={() =>
            add.mutate({
              name: freeName(agent.program, taken),
              kind,
              command: agent.command ?? agent.path,
            })
          }
        >
          Use it
        </Button>
      )}
      {agent.path && !kind && <Badge>Not supported yet</Badge>}
    </li>
  );
}

/** A server that answers at its usual address: its models cost nothing. */
function Server({ server, onAdded }: { server: ServerFound; onAdded: (name: string) => void }) {
  const { data: known } = useCall("backend_list", {});
  const add = useCallMutation("backend_add", {
    onDone: (backend) => {
      const detail = `It asks for ${backend.model}. Another model is chosen under Change.`;
      toast({ tone: "good", title: `${server.name} can be used now`, detail });
      onAdded(backend.name);
    },
    onError: (error) => toastError(`${server.name} could not be added`, error),
  });
  const [model] = server.models;
  const taken = known?.backends.map((backend) => backend.name) ?? [];
  const name = server.name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const { kind, base_url, added_as } = server;
  return (
    <li className={styles.agent}>
      <div className={styles.grow}>
        <div className={styles.name}>
          {server.name} <span className={styles.soft}>{oneLine(base_url, 40)}</span>
        </div>
        <div className={styles.soft} title={server.models.join(", ")}>
          {oneLine(`Offers ${server.models.join(", ")}`, 80)}
        </div>
      </div>
      {added_as.length > 0 && <Badge tone="good">Added as {added_as.join(", ")}</Badge>}
      {model && added_as.length === 0 && (
        <Button
          small
          isDisabled={add.isPending}
          aria-label={`Use ${server.name}`}
          onPress={() =>
            add.mutate({ name: freeName(name, taken), kind, base_url, model, free: true })
          }
        >
          Use it
        </Button>
      )}
    </li>
  );
}
