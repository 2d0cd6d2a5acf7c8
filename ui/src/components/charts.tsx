import { useId } from "react";
import styles from "./charts.module.css";

/** The shape of a series, a line high. Its words stand beside it or in `label`. */
export function Sparkline(props: { values: readonly number[]; label: string; width?: number }) {
  const width = props.width ?? 96;
  const height = 18;
  const max = Math.max(1, ...props.values);
  const step = width / Math.max(1, props.values.length - 1);
  const points = props.values.map(
    (value, i) =>
      `${(i * step).toFixed(1)},${(height - 1 - (value / max) * (height - 2)).toFixed(1)}`,
  );
  return (
    <svg
      className={styles.spark}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={props.label}
    >
      <title>{props.label}</title>
      {points.length > 1 && <polyline points={points.join(" ")} />}
    </svg>
  );
}

export interface BarSeries {
  key: string;
  values: readonly number[];
}

const COLOURS = 6;

/**
 * Stacked bars with a legend, drawn here (a chart library's inline styles would fight the strict
 * CSP), and the same numbers as a table for whoever cannot see them.
 */
export function StackedBars(props: {
  label: string;
  /** Under each bar. */
  columns: readonly string[];
  series: readonly BarSeries[];
  format: (value: number) => string;
  height?: number;
}) {
  const id = useId();
  const height = props.height ?? 180;
  const totals = props.columns.map((_, i) =>
    props.series.reduce((sum, series) => sum + (series.values[i] ?? 0), 0),
  );
  const max = niceMax(Math.max(0, ...totals));
  const every = Math.max(1, Math.ceil(props.columns.length / 10));
  return (
    <figure className={styles.figure} aria-labelledby={id}>
      <figcaption id={id} className="hidden-words">
        {props.label}
      </figcaption>
      <div className={styles.plot} style={{ height }} aria-hidden="true">
        {[1, 0.5, 0].map((share) => (
          <div key={share} className={styles.grid} style={{ bottom: `${share * 100}%` }}>
            <span>{props.format(max * share)}</span>
          </div>
        ))}
        <div className={styles.bars}>
          {props.columns.map((column, i) => (
            <div
              key={column}
              className={styles.column}
              title={[
                `${column}: ${props.format(totals[i] ?? 0)}`,
                ...props.series
                  .filter((series) => (series.values[i] ?? 0) > 0)
                  .map((series) => `${series.key}: ${props.format(series.values[i] ?? 0)}`),
              ].join("\n")}
            >
              {props.series.map((series, s) => (
                <div
                  key={series.key}
                  className={styles.piece}
                  style={{
                    height: `${((series.values[i] ?? 0) / max) * 100}%`,
                    background: `var(--chart-${(s % COLOURS) + 1})`,
                  }}
                />
              ))}
            </div>
          ))}
        </div>
      </div>
      <div className={styles.columns} aria-hidden="true">
        {props.columns.map((column, i) => (
          <span key={column}>{i % every === 0 ? column : ""}</span>
        ))}
      </div>
      <ul className={styles.legend} aria-hidden="true">
        {props.series.map((series, s) => (
          <li key={series.key}>
            <span style={{ background: `var(--chart-${(s % COLOURS) + 1})` }} />
            {series.key}
          </li>
        ))}
      </ul>
      <table className="hidden-words">
        <caption>{props.label}</caption>
        <thead>
          <tr>
            <th scope="col">When</th>
            {props.series.map((series) => (
              <th key={series.key} scope="col">
                {series.key}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.columns.map((column, i) => (
            <tr key={column}>
              <th scope="row">{column}</th>
              {props.series.map((series) => (
                <td key={series.key}>{props.format(series.values[i] ?? 0)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

/** A round number at or above the largest value, for the scale. */
function niceMax(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((s) => s * power >= value) ?? 10;
  return step * power;
}
