import type { ReactNode } from "react";
import { cx } from "../../components/cx";
import { Loaded } from "../../components/Loaded";
import { Page, Section } from "../../components/Page";
import { EmptyState } from "../../components/states";
import type { Setting } from "../../ipc/bindings";
import { useCall } from "../../queries/call";
import { PlaceLink } from "../../stores/navigation";
import { About } from "./About";
import { Appearance } from "./Appearance";
import { Rules } from "./Rules";
import { Service } from "./Service";
import { SettingField } from "./SettingField";
import styles from "./settings.module.css";
import { Webhook } from "./Webhook";

/** The part of an address that stands for a heading. */
export const slugOf = (heading: string): string =>
  heading.toLowerCase().replace(/[^a-z0-9]+/g, "-");

interface Part {
  id: string;
  title: string;
  content: ReactNode;
}

/** The daemon's settings under their headings, in its order. */
function groupsOf(settings: readonly Setting[]): [string, Setting[]][] {
  const groups = new Map<string, Setting[]>();
  for (const setting of settings) {
    groups.set(setting.group, [...(groups.get(setting.group) ?? []), setting]);
  }
  return [...groups];
}

/** Each change takes effect at once; nothing has to be saved or restarted. */
export function SettingsRoom(props: { section: string; backends: ReactNode }) {
  const settings = useCall("settings", {});
  const groups = groupsOf(settings.data?.settings ?? []);
  const parts: Part[] = [
    { id: "backends", title: "Backends and keys", content: props.backends },
    ...groups.map(([title, list]) => ({
      id: slugOf(title),
      title,
      content: <Group title={title} settings={list} />,
    })),
    { id: "rules", title: "Rules and trust", content: <Rules /> },
    { id: "webhook", title: "Webhook", content: <Webhook /> },
    { id: "start", title: "Start at login", content: <Service /> },
    { id: "appearance", title: "Appearance and shortcuts", content: <Appearance /> },
    { id: "about", title: "About", content: <About /> },
  ];
  const part = parts.find(({ id }) => id === props.section);
  return (
    <Page title="Settings">
      <div className={styles.around}>
        <div className={styles.columns}>
          <nav className={styles.nav} aria-label="Settings">
            <ul>
              {parts.map(({ id, title }) => (
                <li key={id}>
                  <PlaceLink
                    to={{ room: "settings", section: id }}
                    className={cx(styles.link, id === props.section && styles.here)}
                    aria-current={id === props.section ? "page" : undefined}
                  >
                    {title}
                  </PlaceLink>
                </li>
              ))}
            </ul>
          </nav>
          <div className={styles.content}>
            {part ? (
              part.content
            ) : (
              // The headings come from the daemon: an address may be right before they are here.
              <Loaded query={settings} what="the settings">
                {() => <EmptyState title="There are no settings of this name" />}
              </Loaded>
            )}
          </div>
        </div>
      </div>
    </Page>
  );
}

function Group({ title, settings }: { title: string; settings: readonly Setting[] }) {
  return (
    <Section title={title}>
      <ul className={styles.list}>
        {settings.map((setting) => (
          <SettingField key={setting.name} setting={setting} />
        ))}
      </ul>
    </Section>
  );
}
