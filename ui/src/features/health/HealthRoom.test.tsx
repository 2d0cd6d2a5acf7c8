import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { Health } from "../../ipc/bindings";
import { ago, ahead, anId, aStatus, aWebhook, someFigures } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { HealthRoom } from "./HealthRoom";

function aHealth(over: Partial<Health> = {}): Health {
  return {
    daemon: aStatus(),
    disk: [{ what: "Journal", path: "/home/ann/longhaul/state.db", bytes: 12_000_000 }],
    free_bytes: 80e9,
    backups: [
      { file: "/home/ann/longhaul/backups/a.db", at: ago(3600), bytes: 1e6, verified: true },
    ],
    live: [],
    service: {
      installed: true,
      running: true,
      offered: false,
      words: "systemd starts it at login",
    },
    keychain: { ok: true, words: "Secret Service" },
    ...over,
  };
}

const quiet = {
  review_figures: someFigures(),
  limits: { limits: [] },
  log_lines: {
    lines: [
      { at: ago(1), level: "WARN", target: "daemon", message: "a \u001b[31mred\u001b[0m word" },
    ],
  },
};

test("says in words how everything is", async () => {
  const live = {
    run: anId(),
    title: "Fix it",
    state: "running" as const,
    now: "cargo test",
    heard_at: ago(4),
    memory_bytes: 3e8,
  };
  const { container } = renderRoom(<HealthRoom />, {
    at: "/health",
    script: {
      ...quiet,
      health: aHealth({
        live: [live],
        free_bytes: 1e9,
        keychain: { ok: false, words: "It is locked." },
      }),
      activity: { from: ago(600), bucket_s: 10, events: [0, 3, 1], tokens: [0, 0, 0] },
    },
  });
  expect(await screen.findByRole("region", { name: "Keychain" })).toHaveTextContent(
    /Does not work.*It is locked/,
  );
  expect(screen.getByRole("region", { name: "Free space" })).toHaveTextContent(/That is little/);
  expect(screen.getByRole("row", { name: /Fix it.*cargo test.*300 MB/ })).toBeInTheDocument();
  expect(
    await screen.findByRole("img", { name: "4 events in the last 10 minutes" }),
  ).toBeInTheDocument();
  expect(await screen.findByText("a red word")).toBeInTheDocument();
  await expectAccessible(container);
});

test.each([
  [{ available: true, used: true, detail: "commands run in bubblewrap" }, "Commands run in it"],
  [{ available: true, used: false, detail: "switched off by the setting" }, "Turned off"],
  [{ available: false, used: false, detail: "bwrap was not found" }, "Not possible here"],
])("whether commands run in a sandbox: %o", async (sandbox, words) => {
  renderRoom(<HealthRoom />, {
    at: "/health",
    script: { ...quiet, health: aHealth({ sandbox }) },
  });
  const card = await screen.findByRole("region", { name: "Sandbox" });
  expect(card).toHaveTextContent(words);
  expect(card).toHaveTextContent(sandbox.detail);
});

test("the doctor examines on request and shows the worst first", async () => {
  const { user, daemon } = renderRoom(<HealthRoom />, {
    at: "/health",
    script: {
      ...quiet,
      health: aHealth(),
      doctor: {
        ok: false,
        findings: [
          { level: "ok", area: "chains", what: "12 chains are whole", advice: null },
          { level: "problem", area: "blobs", what: "one is damaged", advice: "restore a backup" },
        ],
      },
    },
  });
  const button = await screen.findByRole("button", { name: "Examine the store" });
  expect(daemon.requests("doctor")).toEqual([]);
  await user.click(button);
  const broken = await screen.findByText(/one is damaged/);
  const whole = screen.getByText(/12 chains are whole/);
  expect(broken.compareDocumentPosition(whole) & Node.DOCUMENT_POSITION_FOLLOWING).toBeTruthy();
  expect(screen.getByText("restore a backup")).toBeInTheDocument();
});

test("a backup is made and its place named", async () => {
  const { user, daemon } = renderRoom(<HealthRoom />, {
    at: "/health",
    script: { ...quiet, health: aHealth(), backup: { file: "/b/new.db", bytes: 5 } },
  });
  await user.click(await screen.findByRole("button", { name: "Back up now" }));
  await waitFor(() => expect(daemon.requests("backup")).toHaveLength(1));
  expect(await screen.findByText("/b/new.db")).toBeInTheDocument();
});

test("who holds which folder, what workspaces take, and what can be freed", async () => {
  const holder = anId();
  const { container } = renderRoom(<HealthRoom />, {
    at: "/health",
    script: {
      ...quiet,
      health: aHealth({
        locks: [
          {
            scope: "/home/ann/parser",
            run: holder,
            title: "Fix the parser",
            purpose: "in-place",
            since: ago(600),
            beat: ago(130),
            waiting: [anId(), anId()],
          },
        ],
        workspaces: {
          measured_at: ago(30),
          workspaces: 3,
          work_bytes: 6e9,
          snapshot_bytes: 2e9,
          budget_bytes: 20e9,
          freeable_bytes: 5e9,
          freeable_runs: 2,
          words: "Workspaces take 8 GB of 20 GB.",
        },
      }),
    },
  });
  const row = await screen.findByRole("row", { name: /\/home\/ann\/parser/ });
  expect(row).toHaveTextContent(/Fix the parser works there.*10 min ago.*2 min ago.*2 runs/);
  expect(within(row).getByRole("link", { name: "Fix the parser" })).toHaveAttribute(
    "href",
    expect.stringContaining(holder),
  );
  const disk = screen.getByRole("region", { name: "Workspaces" });
  expect(disk).toHaveTextContent(/5 GB, by discarding 2 runs that are over/);
  await expectAccessible(container);
});

test("a webhook that is down, and how people decide", async () => {
  const webhook = aWebhook({
    ok: false,
    words: "3 wait to be delivered; the last try failed: it cannot be reached",
    waiting: 3,
  });
  const { container } = renderRoom(<HealthRoom />, {
    at: "/health",
    script: { ...quiet, health: aHealth({ daemon: aStatus({ webhook }) }) },
  });
  expect(await screen.findByRole("region", { name: "Webhook" })).toHaveTextContent(
    /Is not reached.*hooks\.example\.com: 3 wait/,
  );
  const figures = screen.getByRole("region", { name: "Reviews of the last 30 days" });
  expect(await within(figures).findByText("15.0 % (12 of 80)")).toBeVisible();
  expect(within(figures).getByText("18.1 % (1 undone, 1 rolled back)")).toBeVisible();
  expect(within(figures).getByRole("row", { name: /network writes.*12/ })).toBeVisible();
  const idle = within(figures).getByRole("table", { name: "Rules that decided nothing" });
  expect(within(idle).getByRole("row", { name: /nothing is published.*deny/ })).toBeVisible();
  expect(within(idle).queryByText(/ruins a machine/)).toBeNull();
  expect(within(figures).getByText(/2 rules in force \(1 of them built in\)/)).toBeVisible();
  await expectAccessible(container);
});

test("names the files of rules that cannot be read, and what that means", async () => {
  renderRoom(<HealthRoom />, {
    at: "/health",
    script: {
      ...quiet,
      health: aHealth({
        broken_rules: [
          { file: "/h/policy.toml", project: null, why: "line 3, column 1: no such field" },
          { file: "/p/.longhaul/policy.toml", project: "/p", why: "it is no file" },
        ],
      }),
    },
  });
  const rules = await screen.findByRole("region", { name: "Rules that cannot be read" });
  expect(rules).toHaveTextContent(/Your rules.*line 3, column 1.*in every project is reviewed/);
  expect(rules).toHaveTextContent(/The rules of \/p.*it is no file.*in this project is reviewed/);
});

test("named buckets say what was used, what is set aside, and when there is room", async () => {
  renderRoom(<HealthRoom />, {
    at: "/health",
    script: {
      ...quiet,
      limits: {
        limits: [],
        buckets: [
          {
            name: "github",
            per_minute: 30,
            per_day: 500,
            per_month: null,
            used_minute: 30,
            used_day: 120,
            used_month: 900,
            waiting: 2,
            until: ahead(40),
            cause: "30 calls a minute are used",
            shares: [{ project: "/code/shop", per_day: 100, used_day: 7 }],
          },
        ],
      },
      health: aHealth({}),
    },
  });
  const buckets = await screen.findByRole("table", { name: "Buckets" });
  expect(
    within(buckets).getByRole("row", {
      name: /github 30 of 30 120 of 500 – 2 .*a minute are used/,
    }),
  ).toBeVisible();
  expect(
    within(buckets).getByRole("row", { name: /github, for \/code\/shop – 7 of 100/ }),
  ).toBeVisible();
});
