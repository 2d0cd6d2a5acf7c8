import { type ComponentType, type FunctionComponent, lazy, Suspense } from "react";
import { Skeleton } from "../components/states";
import type { RunTab } from "../lib/places";

/** Each room is a file of its own, read when it is first entered. */
function room<P extends object>(load: () => Promise<ComponentType<P>>): FunctionComponent<P> {
  const Lazy = lazy(async () => ({ default: await load() })) as unknown as ComponentType<P>;
  // biome-ignore lint/correctness/noComponentHookFactories: called once a room, at module level
  return function Room(props: P) {
    return (
      <Suspense fallback={<Skeleton />}>
        <Lazy {...props} />
      </Suspense>
    );
  };
}

export const InboxRoom = room<{ review: string | null }>(() =>
  import("../features/inbox/InboxRoom").then((m) => m.InboxRoom),
);
export const RunsRoom = room<object>(() =>
  import("../features/runs/RunsRoom").then((m) => m.RunsRoom),
);
export const RunRoom = room<{ run: string; tab: RunTab }>(() =>
  import("../features/run/RunRoom").then((m) => m.RunRoom),
);
export const CostsRoom = room<object>(() =>
  import("../features/costs/CostsRoom").then((m) => m.CostsRoom),
);
export const HealthRoom = room<object>(() =>
  import("../features/health/HealthRoom").then((m) => m.HealthRoom),
);
export const SettingsRoom = room<{ section: string }>(() =>
  import("../features/settings/SettingsRoom").then((m) => m.SettingsRoom),
);
export const WelcomeRoom = room<object>(() =>
  import("../features/welcome/WelcomeRoom").then((m) => m.WelcomeRoom),
);
export const NewRunRoom = room<object>(() =>
  import("../features/new-run/NewRunRoom").then((m) => m.NewRunRoom),
);
