import { CloudOff, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "../components/Button";
import { Countdown, RelativeTime } from "../components/figures";
import { useNative } from "../queries/link";
import { useStatus } from "../queries/status";
import { useConnection } from "../stores/connection";
import { toastError } from "../stores/toasts";
import styles from "./Banner.module.css";

/** What is wrong with the daemon, above everything, for as long as it is. */
export function Banner() {
  const { connection, retryNow } = useConnection();
  const { data: status } = useStatus();
  const native = useNative();
  if (connection.state === "lost") {
    return (
      <Bar
        icon={<CloudOff />}
        bad
        action={
          <>
            {native && (
              <Button
                small
                onPress={() => {
                  native
                    .startDaemon()
                    .then(retryNow)
                    .catch((error: unknown) =>
                      toastError("The daemon could not be started", error),
                    );
                }}
              >
                Start the daemon
              </Button>
            )}
            <Button small onPress={retryNow}>
              Try now
            </Button>
          </>
        }
      >
        <strong>Connection to the daemon lost</strong>{" "}
        <RelativeTime at={new Date(connection.since).toISOString()} />. What you see is the last
        that was known; runs may be going on. Next try{" "}
        <Countdown until={new Date(connection.nextTryAt).toISOString()} />.{" "}
        <span className={styles.why}>
          {connection.error.message}
          {/* Trying again does not mend a key: what does, is said. */}
          {connection.error.code === "credential" && ` ${connection.error.hint}`}
        </span>
      </Bar>
    );
  }
  if (status?.mode === "draining") {
    return (
      <Bar icon={<TriangleAlert />}>
        <strong>The daemon is about to stop.</strong> Runs stop at their next operation boundary and
        go on after the next start.
      </Bar>
    );
  }
  if (status?.mode === "maintenance" || status?.trouble) {
    return (
      <Bar icon={<TriangleAlert />} bad>
        <strong>
          {status.mode === "maintenance"
            ? "The store cannot be opened: only health checks, backup and restore work."
            : "Something keeps the daemon from its work."}
        </strong>{" "}
        {status.trouble}
      </Bar>
    );
  }
  return null;
}

function Bar(props: { icon: ReactNode; bad?: boolean; children: ReactNode; action?: ReactNode }) {
  return (
    <section
      className={`${styles.bar} ${props.bad ? (styles.bad ?? "") : ""}`}
      aria-label="State of the daemon"
    >
      {props.icon}
      <p>{props.children}</p>
      {props.action}
    </section>
  );
}
