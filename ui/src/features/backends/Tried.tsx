import { CircleCheck, CircleX } from "lucide-react";
import type { BackendTest } from "../../ipc/bindings";
import { plain } from "../../lib/plain";
import styles from "./backends.module.css";

/** What trying a backend showed, step by step. */
export function Tried({ test }: { test: BackendTest }) {
  return (
    <ul className={styles.checks} aria-label="What was tried">
      {test.checks.map((check) => (
        <li key={`${check.what}-${check.detail}`} className={check.ok ? styles.ok : styles.bad}>
          {check.ok ? <CircleCheck aria-hidden="true" /> : <CircleX aria-hidden="true" />}
          <span>
            <strong>{check.ok ? "Works" : "Does not work"}:</strong> {plain(check.detail)}
          </span>
        </li>
      ))}
    </ul>
  );
}
