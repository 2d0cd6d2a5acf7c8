/**
 * A shortcut: `a`, `shift+a`, `mod+k` (⌘ on a Mac, Ctrl elsewhere), `escape`, or a sequence `g i`.
 */
export type Keys = string;

const MAC = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? "");

export interface Pressed {
  key: string;
  code?: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** The event as one word of `Keys`; null for a lone modifier. */
export function wordOf(event: Pressed, mac = MAC): string | null {
  if (["Shift", "Control", "Alt", "Meta", "Dead", "Process"].includes(event.key)) return null;
  const mod = mac ? event.metaKey : event.ctrlKey;
  const other = mac ? event.ctrlKey : event.metaKey;
  if (other || event.altKey) return null;
  const printable = event.key.length === 1;
  const key = event.key === " " ? "space" : event.key.toLowerCase();
  // `?` is typed with shift on many keyboards and without on others: the character is what counts.
  const letter = /^[a-z]$/.test(key);
  const shift = event.shiftKey && (!printable || letter);
  return `${mod ? "mod+" : ""}${shift ? "shift+" : ""}${key}`;
}

const NAMES: Record<string, string> = {
  enter: "↵",
  escape: "Esc",
  space: "Space",
  arrowup: "↑",
  arrowdown: "↓",
  arrowleft: "←",
  arrowright: "→",
  shift: MAC ? "⇧" : "Shift",
  mod: MAC ? "⌘" : "Ctrl",
};

/** For a person: `["g", "i"]`, `["Ctrl", "K"]`. */
export function keyCaps(keys: Keys): string[] {
  return keys
    .split(" ")
    .flatMap((word) => (word === "+" ? ["+"] : word.split("+")))
    .map((part) => NAMES[part] ?? (keys.includes("+") ? part.toUpperCase() : part));
}

/** What `aria-keyshortcuts` wants. */
export function ariaKeys(keys: Keys): string {
  return keys
    .split(" ")
    .map((word) => word.replace("mod", MAC ? "Meta" : "Control").replace("shift", "Shift"))
    .join(" ");
}
