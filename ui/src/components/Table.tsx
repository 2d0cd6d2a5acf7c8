import { type ReactNode, type RefObject, useEffect, useRef, useState } from "react";
import { cx } from "./cx";
import styles from "./Table.module.css";

export interface Column<T> {
  id: string;
  title: string;
  cell: (row: T) => ReactNode;
  /** Numbers stand right. */
  numeric?: boolean;
  /** How it sorts; columns without it cannot be sorted by. */
  sort?: (a: T, b: T) => number;
}

/** What scrolls must be reachable by keyboard; what does not would only be in Tab's way. */
const SCROLLS = { tabIndex: 0, role: "group", "aria-label": "Scrolls sideways" };

function useOverflows(scroller: RefObject<HTMLElement | null>): boolean {
  const [overflows, setOverflows] = useState(false);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      setOverflows(element.scrollWidth > element.clientWidth);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [scroller]);
  return overflows;
}

/** A plain table for up to a few hundred rows; longer ones are a VirtualList. */
export function Table<T>(props: {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
  sortedBy?: { column: string; descending: boolean };
  onSort?: (column: string) => void;
  footer?: ReactNode;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const overflows = useOverflows(scroller);
  return (
    <div ref={scroller} className={styles.scroll} {...(overflows ? SCROLLS : {})}>
      <table className={styles.table}>
        <caption className="hidden-words">{props.label}</caption>
        <thead>
          <tr>
            {props.columns.map((column) => {
              const sorted = props.sortedBy?.column === column.id ? props.sortedBy : null;
              return (
                <th
                  key={column.id}
                  scope="col"
                  className={cx(column.numeric && styles.numeric)}
                  aria-sort={sorted ? (sorted.descending ? "descending" : "ascending") : undefined}
                >
                  {column.sort && props.onSort ? (
                    <button
                      type="button"
                      className={styles.sort}
                      onClick={() => props.onSort?.(column.id)}
                    >
                      {column.title}
                      <span aria-hidden="true">
                        {sorted ? (sorted.descending ? " ↓" : " ↑") : ""}
                      </span>
                    </button>
                  ) : (
                    column.title
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr key={props.keyOf(row)}>
              {props.columns.map((column) => (
                <td key={column.id} className={cx(column.numeric && styles.numeric)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
        {props.footer && <tfoot>{props.footer}</tfoot>}
      </table>
    </div>
  );
}
