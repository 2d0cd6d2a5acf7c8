import { useCallback, useLayoutEffect, useRef } from "react";

/** The same function for as long as the component is there; it does what the newest one does. */
export function useSteady<A extends unknown[], R>(act: (...args: A) => R): (...args: A) => R {
  const latest = useRef(act);
  useLayoutEffect(() => {
    latest.current = act;
  });
  return useCallback((...args: A) => latest.current(...args), []);
}

/** The value as it was, while it says the same: what is drawn of it is not drawn again. */
export function useSame<T>(value: T): T {
  const known = useRef(value);
  if (known.current !== value && JSON.stringify(known.current) !== JSON.stringify(value)) {
    known.current = value;
  }
  return known.current;
}
