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
export const NewRunRoom = room<object>(() =>
  import("../features/new-run/NewRunRoom").then((m) => m.NewRunRoom),
);

// Two rooms show the backends. A feature never imports another: they are put together here.
export const SettingsRoom = room<{ section: string }>(async () => {
  const [{ SettingsRoom: Room }, { BackendsPanel }] = await Promise.all([
    import("../features/settings/SettingsRoom"),
    import("../features/backends/BackendsPanel"),
  ]);
  return ({ section }) => <Room section={section} backends={<BackendsPanel />} />;
});
export const WelcomeRoom = room<object>(async () => {
  const [{ WelcomeRoom: Room }, { AddKey }, { FoundAgents }] = await Promise.all([
    import("../features/welcome/WelcomeRoom"),
    import("../features/backends/AddKey"),
    import("../features/backends/FoundAgents"),
  ]);
  return () => (
    <Room
      addKey={(onAdded) => <AddKey onAdded={onAdded} />}
      agents={(onAdded) => <FoundAgents onAdded={onAdded} />}
    />
  );
});
