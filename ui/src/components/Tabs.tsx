import type { ReactNode } from "react";
import { Tabs as AriaTabs, Tab, TabList, TabPanel } from "react-aria-components";
import styles from "./Tabs.module.css";

export interface TabItem {
  id: string;
  label: ReactNode;
  content: ReactNode;
}

/** Only the chosen tab's content exists. */
export function Tabs(props: {
  label: string;
  tabs: readonly TabItem[];
  chosen: string;
  onChoose: (id: string) => void;
}) {
  return (
    <AriaTabs
      className={styles.tabs ?? ""}
      selectedKey={props.chosen}
      onSelectionChange={(key) => props.onChoose(String(key))}
      keyboardActivation="manual"
    >
      <TabList aria-label={props.label} className={styles.list ?? ""}>
        {props.tabs.map((tab) => (
          <Tab key={tab.id} id={tab.id} className={styles.tab ?? ""}>
            {tab.label}
          </Tab>
        ))}
      </TabList>
      {props.tabs.map((tab) => (
        <TabPanel key={tab.id} id={tab.id} className={styles.panel ?? ""}>
          {tab.content}
        </TabPanel>
      ))}
    </AriaTabs>
  );
}
