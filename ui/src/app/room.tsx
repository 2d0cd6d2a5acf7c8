import { type ComponentType, type FunctionComponent, useEffect, useState } from "react";
import { Skeleton } from "../components/states";

const loaders: (() => Promise<unknown>)[] = [];

/**
 * Each room is a file of its own, read ahead or when it is first entered. Not `lazy`: React waits
 * for that one even where it is read already, and shows it 300 ms later, so that skeletons do not
 * flicker.
 */
export function room<P extends object>(
  load: () => Promise<ComponentType<P>>,
): FunctionComponent<P> {
  let known: ComponentType<P> | null = null;
  let loading: Promise<ComponentType<P>> | undefined;
  const once = async () => {
    loading ??= load();
    // One that could not be read is read again when it is entered again.
    loading.catch(() => {
      loading = undefined;
    });
    known = await loading;
    return known;
  };
  loaders.push(once);
  // biome-ignore lint/correctness/noComponentHookFactories: called once a room, at module level
  return function Room(props: P) {
    const [Known, setKnown] = useState(() => known);
    const [failed, setFailed] = useState<{ error: unknown } | null>(null);
    useEffect(() => {
      if (Known) return;
      let gone = false;
      once().then(
        (component) => gone || setKnown(() => component),
        (error: unknown) => gone || setFailed({ error }),
      );
      return () => {
        gone = true;
      };
    }, [Known]);
    if (failed) throw failed.error;
    return Known ? <Known {...props} /> : <Skeleton />;
  };
}

/** Reads every room one after another, so that none is waited for when it is entered. */
export async function readRoomsAhead(): Promise<void> {
  // One that cannot be read says so when it is entered.
  for (const load of loaders) await load().catch(() => {});
}
