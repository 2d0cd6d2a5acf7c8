import { useSyncExternalStore } from "react";

/** Whether a media query holds for the window, now and when it changes. */
export function media(query: string): () => boolean {
  const list = window.matchMedia(query);
  const listen = (changed: () => void) => {
    list.addEventListener("change", changed);
    return () => list.removeEventListener("change", changed);
  };
  return () => useSyncExternalStore(listen, () => list.matches);
}

/**
 * A window in which what stands around the content would leave it no room: a small one, or one with
 * its text at 200 %. Styles say the same as `max-height: 32rem`.
 */
export const useLowWindow = media("(max-height: 32rem)");
