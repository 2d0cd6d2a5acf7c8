import { useEffect } from "react";
import { Skeleton } from "../components/states";
import { useCall } from "../queries/call";
import { useRuns } from "../queries/runs";
import { useGo } from "../stores/navigation";

/** Where the app opens: the inbox, or the first steps where nothing has been done yet. */
export function Home() {
  const backends = useCall("backend_list", {});
  const runs = useRuns();
  const go = useGo();
  const isNew = backends.data?.backends.length === 0 && runs.data?.runs.length === 0;
  const known = (backends.data && runs.data) || backends.isError || runs.isError;
  // biome-ignore lint/correctness/useExhaustiveDependencies: going is done once, when it is known
  useEffect(() => {
    if (known && !isLeft()) go({ room: isNew ? "welcome" : "inbox" }, { replace: true });
  }, [known, isNew]);
  return <Skeleton label="Opening…" />;
}

/**
 * Whether the address is another one already. The router hears of that a moment later, and what it
 * is told in between would win over the place somebody asked for: a redirect of its own as well,
 * which replaces whatever address stands there.
 */
const isLeft = () => !/^#?\/?$/.test(window.location.hash);
