import { X } from "lucide-react";
import { useEffect, useState } from "react";
import { Button, IconButton } from "../components/Button";
import { cx } from "../components/cx";
import { Words } from "../components/Words";
import { type Toast, useToasts } from "../stores/toasts";
import styles from "./Toasts.module.css";

export function Toasts() {
  const { toasts, dismiss } = useToasts();
  return (
    <section className={styles.toasts} aria-label="Messages" aria-live="polite">
      {toasts.map((toast) => (
        <ToastView key={toast.id} toast={toast} onDismiss={() => dismiss(toast.id)} />
      ))}
    </section>
  );
}

function ToastView({ toast, onDismiss }: { toast: Toast; onDismiss: () => void }) {
  const { until } = toast;
  const [held, setHeld] = useState(false);
  useEffect(() => {
    // While it is read (pointer or focus on it) it stays.
    if (until === undefined || held) return;
    const timer = setTimeout(onDismiss, Math.max(0, until - Date.now()));
    return () => clearTimeout(timer);
  }, [until, held, onDismiss]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: hovering only keeps it from leaving
    <div
      className={cx(styles.toast, styles[toast.tone])}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <div className={styles.words}>
        <strong>{toast.title}</strong>
        {toast.detail && (
          <p>
            <Words text={toast.detail} />
          </p>
        )}
      </div>
      {toast.action && (
        <Button
          small
          onPress={() => {
            toast.action?.run();
            onDismiss();
          }}
        >
          {toast.action.label}
        </Button>
      )}
      <IconButton label="Dismiss" icon={<X size={16} />} onPress={onDismiss} />
    </div>
  );
}
