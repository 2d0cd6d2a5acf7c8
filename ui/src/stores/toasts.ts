import { create } from "zustand";
import { asCallError } from "../ipc/errors";

export interface Toast {
  id: number;
  tone: "plain" | "good" | "bad";
  title: string;
  /** What to do about it, or what happens next. */
  detail?: string | undefined;
  action?: { label: string; run: () => void } | undefined;
  /** When it leaves by itself (ms since epoch); absent: when dismissed. */
  until?: number | undefined;
  /** A toast about the same thing replaces the older one. */
  about?: string | undefined;
}

interface Toasts {
  toasts: Toast[];
  add(toast: Omit<Toast, "id" | "until"> & { lifetimeMs?: number | null }): number;
  dismiss(id: number): void;
}

let next = 1;
const LIFETIME_MS = 6000;
/** An error stays long enough to be read twice. */
const BAD_LIFETIME_MS = 15_000;
const MOST = 4;

export const useToasts = create<Toasts>((set) => ({
  toasts: [],
  add({ lifetimeMs, ...toast }) {
    const id = next++;
    const life = lifetimeMs ?? (toast.tone === "bad" ? BAD_LIFETIME_MS : LIFETIME_MS);
    const until = lifetimeMs === null ? undefined : Date.now() + life;
    set(({ toasts }) => ({
      toasts: [
        ...toasts.filter((t) => !toast.about || t.about !== toast.about),
        { ...toast, id, until },
      ].slice(-MOST),
    }));
    return id;
  },
  dismiss: (id) => set(({ toasts }) => ({ toasts: toasts.filter((t) => t.id !== id) })),
}));

/** Says something in passing: `toast({tone: "good", title: "Backup made"})`. */
export const toast = (t: Parameters<Toasts["add"]>[0]): number => useToasts.getState().add(t);

/** Shows what failed, why, and what now. */
export function toastError(what: string, thrown: unknown): void {
  const error = asCallError(thrown);
  const detail = [error.message, error.hint].filter(Boolean).join(" ");
  toast({ tone: "bad", title: what, detail, about: what });
}
