import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "../../components/Button";
import { Switch } from "../../components/fields";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Page";
import { Notice } from "../../components/states";
import type { ServiceState } from "../../ipc/bindings";
import type { Native } from "../../ipc/client";
import { useCall, useCallMutation } from "../../queries/call";
import { useNative } from "../../queries/link";
import { toast, toastError } from "../../stores/toasts";
import styles from "./settings.module.css";

/** Who starts the daemon, and whether the window comes with the login. */
export function Service() {
  const health = useCall("health", {});
  const native = useNative();
  return (
    <Section title="Start at login">
      <ul className={styles.list}>
        <li className={styles.setting}>
          <div className={styles.field}>
            <Loaded query={health} what="whether the daemon starts at login" lines={2}>
              {({ service }) => <DaemonService service={service} />}
            </Loaded>
          </div>
        </li>
        {native && (
          <li className={styles.setting}>
            <div className={styles.field}>
              <Window native={native} />
            </div>
          </li>
        )}
      </ul>
    </Section>
  );
}

function DaemonService({ service }: { service: ServiceState }) {
  const change = useCallMutation("service", {
    onDone: (now) => toast({ tone: "good", title: now.words }),
  });
  return (
    <>
      <p>
        <strong>The daemon</strong> does the work. Started by the system at login, runs go on after
        a restart of the machine without any window.
      </p>
      <p className={styles.soft}>{service.words}</p>
      {change.error && (
        <Notice tone="bad" title={change.error.message}>
          {change.error.hint}
        </Notice>
      )}
      <div>
        <Button
          isDisabled={change.isPending}
          onPress={() => change.mutate({ do: service.installed ? "uninstall" : "install" })}
        >
          {service.installed ? "Do not start it at login" : "Start it at login"}
        </Button>
      </div>
    </>
  );
}

/** Asked on the first start, where the system can do it and does not yet. */
export function OfferService() {
  const health = useCall("health", {});
  const install = useCallMutation("service", {
    onDone: (now) => toast({ tone: "good", title: now.words }),
    onError: (error) => toastError("The daemon could not be handed to the system", error),
  });
  if (!health.data?.service.offered) return null;
  return (
    <Notice
      title="Start at login?"
      action={
        <Button isDisabled={install.isPending} onPress={() => install.mutate({ do: "install" })}>
          Start it at login
        </Button>
      }
    >
      After a restart of this machine, runs go on as soon as you log in, without any window. It can
      be changed in Settings.
    </Notice>
  );
}

const KEY = ["window-autostart"];

function Window({ native }: { native: Native }) {
  const client = useQueryClient();
  const autostart = useQuery({ queryKey: KEY, queryFn: () => native.autostart() });
  const set = (on: boolean) => {
    native
      .setAutostart(on)
      .catch((error: unknown) => toastError("The start at login could not be changed", error))
      .finally(() => void client.invalidateQueries({ queryKey: KEY }));
  };
  return (
    <Switch
      label="Longhaul's icon in the tray after login"
      help="Without opening the window. Reviews and trouble are shown there."
      on={autostart.data ?? false}
      onChange={set}
      isDisabled={autostart.data === undefined}
    />
  );
}
