import type { ReactNode } from "react";
import { Button as AriaButton, type ButtonProps as AriaProps } from "react-aria-components";
import { ariaKeys, type Keys } from "../lib/keys";
import styles from "./Button.module.css";
import { cx } from "./cx";
import { KeyHint } from "./KeyHint";
import { Tooltip } from "./Tooltip";

export type ButtonLook = "plain" | "primary" | "danger" | "quiet";

export interface ButtonProps extends Omit<AriaProps, "children" | "className" | "style"> {
  children: ReactNode;
  look?: ButtonLook;
  small?: boolean;
  icon?: ReactNode;
  /** Shown beside the words; pressing it is up to the action registry. */
  keys?: Keys | undefined;
  /** Why it cannot be pressed: shown on hover and said to screen readers. */
  why?: string | undefined;
}

/** The library passes no `aria-keyshortcuts` on. */
function sayKeys(button: HTMLButtonElement | null, keys: Keys): void {
  button?.setAttribute("aria-keyshortcuts", ariaKeys(keys));
}

/** A button with words. */
export function Button({
  children,
  look = "plain",
  small,
  icon,
  keys,
  why,
  ...props
}: ButtonProps) {
  const button = (
    <AriaButton
      {...props}
      isDisabled={props.isDisabled ?? Boolean(why)}
      className={cx(styles.button, styles[look], small && styles.small)}
      {...(keys ? { ref: (button) => sayKeys(button, keys) } : {})}
    >
      {icon}
      <span className={styles.words}>{children}</span>
      {keys && <KeyHint keys={keys} />}
    </AriaButton>
  );
  // A disabled button gets no pointer: the reason hangs on what is around it.
  return why ? (
    <span className={styles.why} title={why}>
      {button}
      <span className="hidden-words">{why}</span>
    </span>
  ) : (
    button
  );
}

export interface IconButtonProps extends Omit<AriaProps, "children" | "className" | "style"> {
  /** What it does, for the tooltip and for screen readers. */
  label: string;
  icon: ReactNode;
  keys?: Keys | undefined;
}

/** A button that is only an icon; its name is its tooltip. */
export function IconButton({ label, icon, keys, ...props }: IconButtonProps) {
  return (
    <Tooltip words={label} keys={keys}>
      <AriaButton
        {...props}
        aria-label={label}
        className={cx(styles.button, styles.quiet, styles.icon)}
      >
        {icon}
      </AriaButton>
    </Tooltip>
  );
}
