import { type KeyboardEvent, type ReactNode, useId } from "react";
import styles from "./Tabs.module.css";

export interface TabItem {
  id: string;
  label: ReactNode;
  content: ReactNode;
}

/** Which tab the keys lead to from where the focus is; undefined where the key is none of ours. */
function aim(key: string, at: number, count: number): number | undefined {
  switch (key) {
    case "ArrowRight":
      return (at + 1) % count;
    case "ArrowLeft":
      return (at - 1 + count) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return undefined;
  }
}

/**
 * Only the chosen tab's content exists. One stop for Tab: the arrows move among the tabs, Enter or
 * Space chooses. Not the library's: that one looks for what can be focused in the panel at every
 * change of it, and so makes the browser compute styles in the midst of a key press.
 */
export function Tabs(props: {
  label: string;
  tabs: readonly TabItem[];
  chosen: string;
  onChoose: (id: string) => void;
}) {
  const { tabs, chosen } = props;
  const own = useId();
  const tabId = (id: string) => `${own}-tab-${id}`;
  const panelId = `${own}-panel`;
  const content = tabs.find((tab) => tab.id === chosen)?.content;

  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>("[role=tab]")];
    const at = all.indexOf(event.target as HTMLElement);
    const to = at < 0 ? undefined : aim(event.key, at, all.length);
    if (to === undefined) return;
    event.preventDefault();
    all[to]?.focus();
  };

  return (
    <div className={styles.tabs}>
      <div className={styles.list} role="tablist" aria-label={props.label} onKeyDown={onKeyDown}>
        {tabs.map((tab) => (
          <button
            key={tab.id}
            id={tabId(tab.id)}
            type="button"
            role="tab"
            className={styles.tab}
            aria-selected={tab.id === chosen}
            aria-controls={tab.id === chosen ? panelId : undefined}
            tabIndex={tab.id === chosen ? 0 : -1}
            onClick={() => props.onChoose(tab.id)}
          >
            {tab.label}
          </button>
        ))}
      </div>
      {/* Another tab's content is another panel: nothing of the last one may stay. */}
      <div
        key={chosen}
        id={panelId}
        className={styles.panel}
        role="tabpanel"
        aria-labelledby={tabId(chosen)}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what a tab shows is reached from it
        tabIndex={0}
      >
        {content}
      </div>
    </div>
  );
}
