import { type CSSProperties, type ReactNode, useRef, useState } from "react";
import styles from "./SplitPane.module.css";

/** Two panes and a separator that the pointer and the arrow keys move. Sizes are in px. */
export function SplitPane(props: {
  label: string;
  start: ReactNode;
  end: ReactNode;
  size: number;
  min?: number;
  max?: number;
}) {
  const min = props.min ?? 220;
  const max = props.max ?? 640;
  const [size, setSize] = useState(props.size);
  const from = useRef<{ x: number; size: number } | null>(null);
  const set = (wanted: number) => setSize(Math.max(min, Math.min(max, wanted)));
  return (
    <div className={styles.around}>
      <div className={styles.panes}>
        <div className={styles.start} style={{ "--start-width": `${size}px` } as CSSProperties}>
          {props.start}
        </div>
        {/* biome-ignore lint/a11y/useSemanticElements: a line cannot be moved */}
        <div
          role="separator"
          aria-orientation="vertical"
          aria-label={props.label}
          aria-valuenow={size}
          aria-valuemin={min}
          aria-valuemax={max}
          tabIndex={0}
          className={styles.separator}
          onKeyDown={(event) => {
            const by = { ArrowLeft: -16, ArrowRight: 16 }[event.key];
            if (by) {
              event.preventDefault();
              set(size + by);
            }
          }}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            from.current = { x: event.clientX, size };
          }}
          onPointerMove={(event) => {
            if (from.current) set(from.current.size + event.clientX - from.current.x);
          }}
          onPointerUp={() => {
            from.current = null;
          }}
        />
        <div className={styles.end}>{props.end}</div>
      </div>
    </div>
  );
}
