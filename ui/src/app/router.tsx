import {
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  type RouterHistory,
  redirect,
} from "@tanstack/react-router";
import { RUN_TABS, type RunTab } from "../lib/places";
import { Crash } from "./Crash";
import { Home } from "./Home";
import { NotFound } from "./NotFound";
import * as rooms from "./rooms";
import { Shell } from "./Shell";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  errorComponent: Crash,
});

/** Any words behind the `?`: each room reads its own. */
const anySearch = (search: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(search).map(([key, value]) => [key, String(value)]));

const index = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: Home,
});

const inbox = createRoute({
  getParentRoute: () => root,
  path: "/inbox",
  validateSearch: anySearch,
  component: () => <rooms.InboxRoom review={null} />,
});

const inboxReview = createRoute({
  getParentRoute: () => root,
  path: "/inbox/$review",
  validateSearch: anySearch,
  component: () => <rooms.InboxRoom review={inboxReview.useParams().review} />,
});

const runs = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: anySearch,
  component: rooms.RunsRoom,
});

const runIndex = createRoute({
  getParentRoute: () => root,
  path: "/runs/$run",
  beforeLoad: ({ params }) => {
    throw redirect({
      to: "/runs/$run/$tab",
      params: { run: params.run, tab: "timeline" },
      replace: true,
    });
  },
});

const isTab = (text: string): text is RunTab => (RUN_TABS as readonly string[]).includes(text);

const run = createRoute({
  getParentRoute: () => root,
  path: "/runs/$run/$tab",
  validateSearch: anySearch,
  component: () => {
    const params = run.useParams();
    // Another run is another room: nothing of the last one may stay.
    return (
      <rooms.RunRoom
        key={params.run}
        run={params.run}
        tab={isTab(params.tab) ? params.tab : "timeline"}
      />
    );
  },
});

const costs = createRoute({
  getParentRoute: () => root,
  path: "/costs",
  validateSearch: anySearch,
  component: rooms.CostsRoom,
});

const health = createRoute({
  getParentRoute: () => root,
  path: "/health",
  component: rooms.HealthRoom,
});

const settingsIndex = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  beforeLoad: () => {
    throw redirect({ to: "/settings/$section", params: { section: "backends" }, replace: true });
  },
});

const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings/$section",
  validateSearch: anySearch,
  component: () => <rooms.SettingsRoom section={settings.useParams().section} />,
});

const welcome = createRoute({
  getParentRoute: () => root,
  path: "/welcome",
  component: rooms.WelcomeRoom,
});

const newRun = createRoute({
  getParentRoute: () => root,
  path: "/new",
  validateSearch: anySearch,
  component: rooms.NewRunRoom,
});

const tree = root.addChildren([
  index,
  inbox,
  inboxReview,
  runs,
  runIndex,
  run,
  costs,
  health,
  settingsIndex,
  settings,
  welcome,
  newRun,
]);

/** Hash history: the same addresses work from the desktop's scheme and from the daemon's. */
export function createAppRouter(history: RouterHistory = createHashHistory()) {
  return createRouter({
    routeTree: tree,
    history,
    defaultErrorComponent: Crash,
    // Search words are plain text, not JSON.
    parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
    stringifySearch: (search) => {
      const text = new URLSearchParams(search as Record<string, string>).toString();
      return text ? `?${text}` : "";
    },
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
