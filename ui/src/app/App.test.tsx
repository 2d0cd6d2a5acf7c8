import { act, screen, waitFor, within } from "@testing-library/react";
import { beforeAll, expect, test, vi } from "vitest";
import { aBackend, aDesktop, aRun, aStatus } from "../test/fixtures";
import { expectAccessible, renderApp } from "../test/render";

// Rooms are read when they are entered. On a busy machine the first time takes longer than a test
// waits for what is on screen.
beforeAll(async () => {
  await Promise.all([
    import("../features/inbox/InboxRoom"),
    import("../features/runs/RunsRoom"),
    import("../features/costs/CostsRoom"),
    import("../features/run/RunRoom"),
    import("../features/new-run/NewRunRoom"),
  ]);
}, 60_000);

test("the app opens in the inbox, and its rail says how many reviews wait", async () => {
  renderApp("/", {
    status: aStatus({ open_reviews: 3 }),
    backend_list: { backends: [aBackend()] },
  });
  expect(await screen.findByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
  const rail = screen.getByRole("navigation", { name: "Rooms" });
  expect(await within(rail).findByRole("link", { name: /Inbox.*3 waiting/ })).toHaveAttribute(
    "aria-current",
    "page",
  );
});

test("where nothing has been done yet, the app opens with the first steps", async () => {
  renderApp("/");
  expect(await screen.findByRole("heading", { name: "Welcome", level: 1 })).toBeVisible();
  expect(window.location.hash).toBe("#/welcome");
});

test("the tray's wish is shown, and the icon counts what waits", async () => {
  let show: (target: string) => void = () => {};
  const setBadge = vi.fn(async () => {});
  const desktop = aDesktop({
    setBadge,
    onOpen: async (wish) => {
      show = wish;
      return () => {};
    },
  });
  renderApp("/costs", { status: aStatus({ open_reviews: 2 }) }, desktop);
  await screen.findByRole("heading", { name: "Costs", level: 1 });
  await waitFor(() => expect(setBadge).toHaveBeenLastCalledWith(2));
  act(() => show("app.new-run"));
  expect(await screen.findByRole("heading", { name: "New run", level: 1 })).toBeVisible();
  act(() => show("/settings/about"));
  expect(await screen.findByRole("heading", { name: "Settings", level: 1 })).toBeVisible();
});

test("g r goes to the runs, n to a new run, ? shows every shortcut", async () => {
  const { user } = renderApp();
  await screen.findByRole("heading", { name: "Inbox", level: 1 });
  await user.keyboard("gr");
  expect(await screen.findByRole("heading", { name: "Runs", level: 1 })).toBeVisible();
  await user.keyboard("?");
  const help = await screen.findByRole("dialog", { name: "Keyboard shortcuts" });
  expect(within(help).getByText("Reject with a note")).toBeVisible();
  await user.keyboard("{Escape}");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await user.keyboard("n");
  expect(await screen.findByRole("heading", { name: "New run", level: 1 })).toBeVisible();
});

test("the palette finds a run by its words and opens it", async () => {
  const run = aRun({ title: "Port the tests to vitest" });
  const { user } = renderApp("/costs", { runs: { runs: [run], cursor: "s.1", partial: false } });
  await screen.findByRole("heading", { name: "Costs", level: 1 });
  await user.keyboard("{Control>}k{/Control}");
  await user.type(await screen.findByRole("searchbox"), "port vit");
  await user.click(await screen.findByRole("menuitem", { name: /Port the tests/ }));
  await waitFor(() => expect(window.location.hash).toBe(`#/runs/${run.id}/timeline`));
});

test("a lost connection is said above everything, and found again by itself", async () => {
  const { daemon, user } = renderApp();
  await screen.findByRole("heading", { name: "Inbox", level: 1 });
  daemon.setReachable(false);
  daemon.cut();
  const banner = await screen.findByRole("region", { name: "State of the daemon" });
  expect(banner).toHaveTextContent("Connection to the daemon lost");
  daemon.setReachable(true);
  await user.click(within(banner).getByRole("button", { name: "Try now" }));
  await waitFor(() =>
    expect(screen.queryByRole("region", { name: "State of the daemon" })).toBeNull(),
  );
  expect(daemon.subscriptions.length).toBeGreaterThan(1);
});

test("the frame has nothing axe objects to", async () => {
  const { container } = renderApp();
  await screen.findByRole("heading", { name: "Inbox", level: 1 });
  await expectAccessible(container);
});
