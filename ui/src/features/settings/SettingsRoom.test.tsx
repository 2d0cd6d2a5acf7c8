import { screen, waitFor, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { Health, Setting } from "../../ipc/bindings";
import { CallError } from "../../ipc/errors";
import { useAppearance } from "../../stores/appearance";
import { aDesktop, aStatus } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { OfferService } from "./Service";
import { SettingsRoom } from "./SettingsRoom";

const slots: Setting = {
  name: "slots",
  group: "Work",
  title: "Runs at a time",
  help: "Others wait in the queue.",
  value: 4,
  default: 4,
  kind: { type: "number", min: 1, max: 64, unit: "runs" },
  dangerous: null,
  restart: false,
};
const policy: Setting = {
  ...slots,
  name: "policy",
  title: "Policy",
  help: "Which operations are reviewed.",
  value: "balanced",
  default: "balanced",
  kind: {
    type: "choice",
    choices: [
      { id: "balanced", label: "Balanced", effect: "Sensitive ones are." },
      { id: "hands-off", label: "Hands off", effect: "No tool call asks." },
    ],
  },
  dangerous: "Agents run commands without asking.",
};
const notify: Setting = {
  ...slots,
  name: "notify",
  group: "Notifications",
  title: "Notifications",
  value: false,
  default: true,
  kind: { type: "flag" },
};

const room = (section: string) => <SettingsRoom section={section} backends={<p>The backends</p>} />;
const script = {
  settings: { settings: [policy, slots, notify] },
  setting: ({ name, value }: { name: string; value: Setting["value"] }) => ({
    ...(name === "slots" ? slots : policy),
    value,
  }),
};

test("headings come from the daemon and lead to their settings", async () => {
  const { container } = renderRoom(room("backends"), { script });
  expect(screen.getByText("The backends")).toBeVisible();
  const nav = screen.getByRole("navigation", { name: "Settings" });
  expect(await within(nav).findByRole("link", { name: "Work" })).toHaveAttribute(
    "href",
    "#/settings/work",
  );
  expect(within(nav).getByRole("link", { name: "Backends and keys" })).toHaveAttribute(
    "aria-current",
    "page",
  );
  await expectAccessible(container);
});

test("a number takes effect when one leaves the field", async () => {
  const { user, daemon } = renderRoom(room("work"), { script });
  const field = await screen.findByRole("textbox", { name: "Runs at a time" });
  await user.clear(field);
  await user.type(field, "8");
  expect(daemon.requests("setting")).toEqual([]);
  await user.tab();
  await waitFor(() => expect(daemon.requests("setting")).toEqual([{ name: "slots", value: 8 }]));
});

test("what is dangerous says what it does before it is done", async () => {
  const { user, daemon } = renderRoom(room("work"), { script });
  await user.click(await screen.findByRole("button", { name: /Policy/ }));
  await user.click(await screen.findByRole("option", { name: /Hands off/ }));
  const sure = await screen.findByRole("alertdialog", { name: "Policy: Hands off?" });
  expect(sure).toHaveTextContent("Agents run commands without asking.");
  await user.click(within(sure).getByRole("button", { name: "Cancel" }));
  expect(daemon.requests("setting")).toEqual([]);
});

test("the way back to the default is one press, and says where it leads", async () => {
  const { user, daemon } = renderRoom(room("notifications"), { script });
  await user.click(
    await screen.findByRole("button", { name: "Back to the default of “Notifications”: on" }),
  );
  await waitFor(() =>
    expect(daemon.requests("setting")).toEqual([{ name: "notify", value: null }]),
  );
});

test("a refused value is said to be, in the daemon's words", async () => {
  const { user, daemon } = renderRoom(room("work"), { script });
  daemon.answer("setting", () => {
    throw new CallError({
      code: "usage",
      message: "config.toml cannot be written.",
      hint: "Look at its owner.",
    });
  });
  const field = await screen.findByRole("textbox", { name: "Runs at a time" });
  await user.clear(field);
  await user.type(field, "9{Tab}");
  expect(await screen.findByText("config.toml cannot be written.")).toBeVisible();
  expect(screen.getByRole("textbox", { name: "Runs at a time" })).toHaveValue("4");
});

test("the daemon and the tray icon start at login if one wants", async () => {
  const setAutostart = vi.fn(async () => {});
  const health: Health = {
    daemon: aStatus(),
    disk: [],
    free_bytes: 1,
    backups: [],
    live: [],
    service: { installed: false, running: null, offered: true, words: "systemd does not know it." },
    keychain: { ok: true, words: "" },
  };
  const { user, daemon } = renderRoom(room("start"), {
    script: {
      ...script,
      health,
      service: {
        installed: true,
        running: true,
        offered: false,
        words: "systemd starts it at login.",
      },
    },
    native: aDesktop({ setAutostart }),
  });
  await user.click(await screen.findByRole("button", { name: "Start it at login" }));
  expect(await screen.findByText("systemd starts it at login.")).toBeVisible();
  expect(daemon.requests("service")).toEqual([{ do: "install" }]);
  await user.click(screen.getByRole("switch", { name: /tray after login/ }));
  expect(setAutostart).toHaveBeenCalledWith(true);
});

test("the first start offers it only where the system can and does not yet", async () => {
  const offering = (offered: boolean): Health => ({
    daemon: aStatus(),
    disk: [],
    free_bytes: 1,
    backups: [],
    live: [],
    service: { installed: false, running: null, offered, words: "Not installed." },
    keychain: { ok: true, words: "" },
  });
  const { user, daemon, client } = renderRoom(<OfferService />, {
    script: {
      health: offering(true),
      service: { installed: true, running: true, offered: false, words: "The system keeps it." },
    },
  });
  await user.click(await screen.findByRole("button", { name: "Start it at login" }));
  expect(await screen.findByText("The system keeps it.")).toBeVisible();
  expect(daemon.requests("service")).toEqual([{ do: "install" }]);
  daemon.answer("health", offering(false));
  await client.invalidateQueries();
  await waitFor(() => expect(screen.queryByText("Start at login?")).toBeNull());
});

test("the appearance is changed at once", async () => {
  const { user } = renderRoom(room("appearance"), { script });
  await user.click(screen.getByRole("button", { name: /Colours/ }));
  await user.click(await screen.findByRole("option", { name: /Dark/ }));
  expect(document.documentElement).toHaveAttribute("data-theme", "dark");
  useAppearance.setState({ theme: "system" });
});
