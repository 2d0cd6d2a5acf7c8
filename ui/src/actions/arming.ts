import { useEffect } from "react";

/** How long a new object cannot be hit by a key. */
export const ARMING_MS = 500;

let armedAt = 0;

/** Disarms the actions that arm, from now until ARMING_MS later. */
export function disarm(): void {
  armedAt = performance.now() + ARMING_MS;
}

export function isArmed(): boolean {
  return performance.now() >= armedAt;
}

/** Disarms whenever the object that actions would hit becomes another one. */
export function useArming(object: string | null): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of the object is the cause
  useEffect(() => disarm(), [object]);
}
