import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { type ReactElement, useState } from "react";
import { afterEach, expect } from "vitest";
import { useHotkeys } from "../actions/hotkeys";
import { App } from "../app/App";
import { Toasts } from "../app/Toasts";
import type { Native } from "../ipc/client";
import { DeltaStore } from "../ipc/deltas";
import { type FakeTransport, fakeTransport, type Script } from "../ipc/transport/fake";
import { LinkProvider } from "../queries/link";
import { keepLive } from "../queries/live";
import { createQueryClient } from "../queries/query-client";
import { type Navigator, NavigatorProvider } from "../stores/navigation";
import { aStatus } from "./fixtures";

export interface Rendered {
  daemon: FakeTransport;
  user: ReturnType<typeof userEvent.setup>;
  client: QueryClient;
  /** Where the room went, newest last. */
  visited: string[];
  container: HTMLElement;
  rerender: (room: ReactElement) => void;
}

/** What every room asks besides its own questions. */
const EVERYWHERE: Script = {
  status: () => aStatus(),
  runs: { runs: [], cursor: "s.1", partial: false },
  backend_list: { backends: [] },
  reviews: { reviews: [] },
};

/** Acts at once, and without asking jsdom at every move whether styles forbid it (slow). */
const aPerson = () => userEvent.setup({ delay: null, pointerEventsCheck: 0 });

export interface RenderOptions {
  /** What the daemon answers, by endpoint. */
  script?: Script;
  /** Where the room stands: `/runs?state=paused`. */
  at?: string;
  native?: Native;
}

function Frame(props: { at: string; visited: string[]; children: ReactElement }) {
  const [at, setAt] = useState(props.at);
  useHotkeys();
  const [path = "/", query = ""] = at.split("?");
  const search = Object.fromEntries(new URLSearchParams(query));
  const navigator: Navigator = {
    path,
    search,
    go: (to) => {
      props.visited.push(to);
      setAt(to);
    },
    back: () => props.visited.push("back"),
    setSearch: (changes) => {
      const kept = Object.entries({ ...search, ...changes }).filter(
        (entry): entry is [string, string] => entry[1] !== null && entry[1] !== "",
      );
      setAt(kept.length > 0 ? `${path}?${new URLSearchParams(kept)}` : path);
    },
  };
  return (
    <NavigatorProvider navigator={navigator}>
      <main>{props.children}</main>
      <Toasts />
    </NavigatorProvider>
  );
}

/** One room (or component) over a scripted daemon: with shortcuts, toasts and the event stream. */
export function renderRoom(room: ReactElement, options: RenderOptions = {}): Rendered {
  const daemon = fakeTransport({ ...EVERYWHERE, ...options.script }, options.native ?? null);
  const client = createQueryClient();
  const link = { transport: daemon, deltas: new DeltaStore() };
  const stop = keepLive(link, client);
  const visited: string[] = [];
  const wrap = (inner: ReactElement) => (
    <LinkProvider link={link}>
      <QueryClientProvider client={client}>
        <Frame at={options.at ?? "/"} visited={visited}>
          {inner}
        </Frame>
      </QueryClientProvider>
    </LinkProvider>
  );
  const { container, rerender, unmount } = render(wrap(room));
  onCleanup(() => {
    unmount();
    stop();
  });
  return {
    daemon,
    client,
    visited,
    container,
    user: aPerson(),
    rerender: (inner) => rerender(wrap(inner)),
  };
}

/** The whole app at an address, over a scripted daemon. */
export function renderApp(at = "/inbox", script: Script = {}, native: Native | null = null) {
  window.location.hash = `#${at}`;
  const daemon = fakeTransport({ ...EVERYWHERE, ...script }, native);
  const { container } = render(<App transport={daemon} />);
  return { daemon, container, user: aPerson() };
}

const cleanups: (() => void)[] = [];
function onCleanup(clean: () => void): void {
  cleanups.push(clean);
}

afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

/** Fails if axe finds anything. Colours are checked over the tokens: jsdom paints nothing. */
export async function expectAccessible(container: Element = document.body): Promise<void> {
  const results = await axe.run(container, {
    rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
  });
  const found = results.violations.map(
    (v) => `${v.id}: ${v.help}\n${v.nodes.map((n) => `  ${n.html}`).join("\n")}`,
  );
  expect(found).toEqual([]);
}
