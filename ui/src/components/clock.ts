import { useCallback, useSyncExternalStore } from "react";

// One timer for every time on screen: a thousand rows must not make a thousand timers.
const listeners = new Map<() => void, number>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
let ticks = 0;

function tick() {
  now = Date.now();
  ticks++;
  for (const [listener, everySeconds] of [...listeners]) {
    if (ticks % everySeconds === 0) listener();
  }
}

// Without a listener nothing ticks: a first render must not show the time of an hour ago.
const read = () => {
  if (listeners.size === 0 && Date.now() - now > 1000) now = Date.now();
  return now;
};

/** The time, looked at again every so many seconds. */
export function useNow(everySeconds = 1): number {
  const subscribe = useCallback(
    (listener: () => void) => {
      if (listeners.size === 0) {
        now = Date.now();
        timer = setInterval(tick, 1000);
      }
      listeners.set(listener, everySeconds);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) clearInterval(timer);
      };
    },
    [everySeconds],
  );
  return useSyncExternalStore(subscribe, read);
}
