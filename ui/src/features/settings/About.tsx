import { Duration } from "../../components/figures";
import { Loaded } from "../../components/Loaded";
import { Facts, Section } from "../../components/Page";
import { useStatus } from "../../queries/status";

/** What runs here, and where it keeps everything. */
export function About() {
  const status = useStatus();
  return (
    <Section title="About">
      <Loaded query={status} what="the daemon's state" lines={4}>
        {(daemon) => (
          <Facts
            facts={[
              ["Longhaul", `${daemon.version} (protocol ${daemon.protocol})`],
              ["Everything is kept in", <code key="home">{daemon.home}</code>],
              ["Settings are in", <code key="config">{`${daemon.home}/config.toml`}</code>],
              ["Command line and window talk over", <code key="socket">{daemon.socket}</code>],
              [
                "Browser address",
                daemon.listen ? (
                  <span key="listen">
                    <code>{daemon.listen}</code> (with the token the daemon printed)
                  </span>
                ) : (
                  <span key="listen">
                    Off: <code>longhaul daemon run --listen 127.0.0.1:0</code> serves one
                  </span>
                ),
              ],
              ["Daemon's process", String(daemon.pid)],
              ["Running for", <Duration key="uptime" ms={daemon.uptime_s * 1000} />],
            ]}
          />
        )}
      </Loaded>
    </Section>
  );
}
