import type { ReactNode } from "react";
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
  return (
    <div className={styles.scroll}>
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
