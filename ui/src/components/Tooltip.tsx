import type { ReactElement } from "react";
import { Tooltip as AriaTooltip, TooltipTrigger } from "react-aria-components";
import type { Keys } from "../lib/keys";
import { KeyHint } from "./KeyHint";
import styles from "./Tooltip.module.css";

/** Words on hover and on keyboard focus. Never the only place for what one must know. */
export function Tooltip(props: { words: string; keys?: Keys | undefined; children: ReactElement }) {
  return (
    <TooltipTrigger delay={500} closeDelay={50}>
      {props.children}
      <AriaTooltip className={styles.tooltip ?? ""} offset={6}>
        {props.words}
        {props.keys && <KeyHint keys={props.keys} />}
      </AriaTooltip>
    </TooltipTrigger>
  );
}
