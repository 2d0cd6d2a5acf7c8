import type { ReactElement, ReactNode } from "react";
import { Menu as AriaMenu, MenuItem, MenuTrigger, Popover, Separator } from "react-aria-components";
import type { Keys } from "../lib/keys";
import { cx } from "./cx";
import { KeyHint } from "./KeyHint";
import styles from "./Menu.module.css";

export interface MenuEntry {
  id: string;
  label: string;
  icon?: ReactNode;
  /** What choosing it does. */
  detail?: string;
  keys?: Keys | undefined;
  danger?: boolean;
  /** Why it cannot be chosen. */
  why?: string | undefined;
  run: () => void;
}

/** A button's menu. `null` is a line between entries. */
export function Menu(props: {
  label: string;
  trigger: ReactElement;
  entries: readonly (MenuEntry | null)[];
}) {
  const entries = props.entries.filter((entry): entry is MenuEntry => entry !== null);
  return (
    <MenuTrigger>
      {props.trigger}
      <Popover className={styles.popover ?? ""} offset={4}>
        <AriaMenu
          aria-label={props.label}
          className={styles.menu ?? ""}
          onAction={(key) => entries.find((entry) => entry.id === key)?.run()}
          disabledKeys={entries.filter((entry) => entry.why).map((entry) => entry.id)}
        >
          {props.entries.map((entry, i) =>
            entry === null ? (
              // biome-ignore lint/suspicious/noArrayIndexKey: a line has no other name
              <Separator key={`line-${i}`} className={styles.line ?? ""} />
            ) : (
              <MenuItem
                key={entry.id}
                id={entry.id}
                textValue={entry.label}
                className={cx(styles.item, entry.danger && styles.danger)}
              >
                <span className={styles.icon}>{entry.icon}</span>
                <span className={styles.words}>
                  {entry.label}
                  {entry.detail && <span className={styles.detail}>{entry.detail}</span>}
                  {entry.why && <span className={styles.why}>{entry.why}</span>}
                </span>
                {entry.keys && <KeyHint keys={entry.keys} />}
              </MenuItem>
            ),
          )}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  );
}
