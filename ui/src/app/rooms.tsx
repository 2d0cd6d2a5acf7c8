import type { RunTab } from "../lib/places";
import { room } from "./room";

// In the order in which they are most likely entered.
export const InboxRoom = room<{ review: string | null }>(() =>
  import("../features/inbox/InboxRoom").then((m) => m.InboxRoom),
);
export const RunRoom = room<{ run: string; tab: RunTab }>(() =>
  import("../features/run/RunRoom").then((m) => m.RunRoom),
);
export const RunsRoom = room<object>(() =>
  import("../features/runs/RunsRoom").then((m) => m.RunsRoom),
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
  const [{ WelcomeRoom: Room }, { AddKey }, { FoundAgents }, { OfferService }] = await Promise.all([
    import("../features/welcome/WelcomeRoom"),
    import("../features/backends/AddKey"),
    import("../features/backends/FoundAgents"),
    import("../features/settings/Service"),
  ]);
  return () => (
    <Room
      addKey={(onAdded) => <AddKey onAdded={onAdded} />}
      agents={(onAdded) => <FoundAgents onAdded={onAdded} />}
      atLogin={<OfferService />}
    />
  );
});
