// Every room in a real browser over the HTTP transport: empty, loading, live, failing and
// disconnected, light and dark, with text at 200 %.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { accessible, fits, go, launch, open, picture, settled } from "./browser.mjs";
import { MODEL, say, tool, World } from "./world.mjs";

const ROOMS = [
  ["inbox", "/inbox", "Inbox"],
  ["runs", "/runs", "Runs"],
  ["costs", "/costs", "Costs"],
  ["health", "/health", "Health"],
  ["settings", "/settings/backends", "Settings"],
  ["welcome", "/welcome", /Welcome/],
  ["new-run", "/new", /New run/],
];

const heading = (page, name) => page.getByRole("heading", { level: 1, name });

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

describe("a home without anything in it", () => {
  let world;
  before(async () => {
    world = await World.make();
  });
  after(() => world.end());

  for (const dark of [false, true]) {
    const look = dark ? "dark" : "light";
    for (const [room, path, title] of ROOMS) {
      test(`${room}, empty, ${look}`, async () => {
        const { page, done } = await open(browser, world, { path, dark });
        await heading(page, title).waitFor();
        await settled(page);
        await accessible(page, `${room}, empty, ${look}`);
        await picture(page, `empty-${room}-${look}`);
        await done();
      });
    }
  }

  for (const [room, path, title] of ROOMS) {
    test(`${room} with text at 200 %`, async () => {
      const { page, done } = await open(browser, world, { path });
      await page.evaluate(() => {
        document.documentElement.style.fontSize = "200%";
      });
      await heading(page, title).waitFor();
      await settled(page);
      await fits(page, room);
      await picture(page, `large-text-${room}`);
      await done();
    });
  }
});

describe("a home with work in it", () => {
  let world;
  let finished;
  let asking;
  before(async () => {
    world = await World.make({
      scripts: {
        fix: {
          turns: [
            tool("read", { path: "add.py" }),
            tool("edit", { path: "add.py", old_text: "a - b", new_text: "a + b" }),
            tool("shell", { command: "cat add.py" }),
            say("`add` subtracted its numbers. **It adds now**:\n\n- `add.py` line 2 has the plus sign\n- nothing else changed"),
          ],
        },
        publish: { turns: [tool("shell", { command: "git push origin main" }), say("Pushed.")] },
        long: {
          turns: [say("Reading the whole project before I answer. ".repeat(400), { chunk_delay_ms: 40 })],
        },
      },
    });
    world.addBackend();
    finished = world.start("fix", "Fix the sum");
    asking = world.start("publish", "Publish the fix");
    await world.reaches(finished, "completed", 60_000);
    await world.reaches(asking, "waiting", 60_000);
    world.start("long", "Explain the project");
  });
  after(() => world.end());

  for (const dark of [false, true]) {
    const look = dark ? "dark" : "light";

    test(`the inbox asks, with the command in full, ${look}`, async () => {
      const { page, done } = await open(browser, world, { path: "/inbox", dark });
      await page.getByRole("option").first().waitFor();
      await page.getByText("git push origin main").first().waitFor();
      // Until it can be hit, half a second after it is seen, it is drawn faint on purpose.
      await page.locator("[data-armed=true]").waitFor();
      await accessible(page, `inbox, ${look}`);
      await picture(page, `inbox-${look}`);
      await done();
    });

    test(`the runs stand in their sections, ${look}`, async () => {
      const { page, done } = await open(browser, world, { path: "/runs", dark });
      await page.getByRole("option", { name: /Publish the fix/ }).waitFor();
      await page.getByRole("option", { name: /Completed.*Fix the sum/ }).waitFor();
      await accessible(page, `runs, ${look}`);
      await picture(page, `runs-${look}`);
      await done();
    });

    for (const tab of ["timeline", "changes", "trace", "cost", "details"]) {
      test(`a run's ${tab}, ${look}`, async () => {
        const { page, done } = await open(browser, world, { path: `/runs/${finished}/${tab}`, dark });
        await heading(page, /Fix the sum/).waitFor();
        await page.getByRole("tabpanel").waitFor();
        if (tab === "changes") await page.getByText("add.py").first().waitFor();
        if (tab === "cost") await page.getByText(MODEL).first().waitFor();
        await accessible(page, `${tab}, ${look}`);
        await picture(page, `run-${tab}-${look}`);
        await done();
      });
    }

    for (const [room, path, title] of ROOMS.filter(([room]) => ["costs", "health", "settings", "new-run"].includes(room))) {
      test(`${room}, live, ${look}`, async () => {
        const { page, done } = await open(browser, world, { path, dark });
        await heading(page, title).waitFor();
        if (room === "costs") await page.getByRole("table", { name: "Costs by model" }).getByRole("row", { name: new RegExp(MODEL) }).waitFor();
        await accessible(page, `${room}, live, ${look}`);
        await picture(page, `${room}-${look}`);
        await done();
      });
    }
  }

  for (const dark of [false, true]) {
    const look = dark ? "dark" : "light";

    test(`what going back would do is said before anything is touched, ${look}`, async () => {
      const { page, done } = await open(browser, world, { path: `/runs/${finished}/timeline`, dark });
      await page.getByRole("button", { name: "Roll back to here (cp1)" }).click();
      const dialog = page.getByRole("alertdialog", { name: "Roll back to cp1?" });
      await dialog.getByText(/no longer count/).waitFor();
      await accessible(page, `rollback, ${look}`);
      await picture(page, `rollback-${look}`);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
      assert.equal(world.show(finished).state, "completed");
      await done();
    });
  }

  test("a run goes back, the undone stays in sight, and an undo brings it again", async () => {
    const run = world.start("fix", "Fix it and go back");
    await world.reaches(run, "completed", 60_000);
    const file = join(world.show(run).workspace.path, "add.py");
    assert.match(readFileSync(file, "utf8"), /a \+ b/);
    const { page, done } = await open(browser, world, { path: `/runs/${run}/timeline` });
    await page.getByRole("button", { name: "Roll back to here (cp1)" }).click();
    await page.getByRole("button", { name: "Roll back", exact: true }).click();
    await page.getByText("Rolled back to cp1").waitFor();
    assert.match(readFileSync(file, "utf8"), /a - b/);
    await page.getByText("Undone", { exact: true }).first().waitFor();
    await accessible(page, "rolled back");
    await picture(page, "rolled-back-light");
    await page.getByRole("button", { name: "Undo" }).first().click();
    await page.getByText("As it was before the rollback").waitFor();
    assert.match(readFileSync(file, "utf8"), /a \+ b/);
    await page.getByText("Undone", { exact: true }).first().waitFor({ state: "detached" });
    await done();
  });

  test("a fork begins at a checkpoint, and says whose it is", async () => {
    const { page, done } = await open(browser, world, { path: `/runs/${finished}/timeline` });
    await page.getByRole("button", { name: "Fork… (cp1)" }).click();
    const dialog = page.getByRole("dialog", { name: "Fork from cp1" });
    await dialog.getByText(/This one stays as it is/).waitFor();
    await picture(page, "fork-light");
    await dialog.getByRole("button", { name: "Fork", exact: true }).click();
    await page.getByText("Forked from cp1").waitFor();
    await page.waitForURL((url) => url.hash.startsWith("#/runs/") && !url.hash.includes(finished));
    await page.keyboard.press("Escape");
    await page.getByRole("tab", { name: "Details" }).click();
    await page.getByRole("link", { name: finished }).waitFor();
    await done();
  });

  test("what a model says streams in before the journal has it", async () => {
    const { page, done } = await open(browser, world, { path: "/runs" });
    await page.getByRole("option", { name: /Explain the project/ }).click();
    await page.getByText(/Reading the whole project/).first().waitFor();
    await done();
  });

  test("while a room is read, it shows that; when that fails, what, why and what now", async () => {
    const { page, done } = await open(browser, world);
    let answer;
    const asked = new Promise((resolve) => {
      answer = resolve;
    });
    await page.route("**/v1/health", async (route) => {
      await asked;
      await route.fulfill({
        status: 500,
        contentType: "application/json",
        body: JSON.stringify({ error: { code: "internal", message: "The disk does not answer.", hint: "Look at its cable." } }),
      });
    });
    await go(page, "/health");
    await page.getByRole("status").filter({ hasText: /Reading how the daemon is/ }).waitFor();
    await picture(page, "health-loading");
    answer();
    const alert = page.getByRole("alert").filter({ hasText: "The disk does not answer." });
    await alert.first().waitFor();
    assert.match(await alert.first().innerText(), /Look at its cable/);
    await accessible(page, "health, failing");
    await picture(page, "health-failing");
    await page.unroute("**/v1/health");
    await alert.first().getByRole("button", { name: "Try again" }).click();
    await page.getByRole("region", { name: "Keychain" }).waitFor();
    await done();
  });
});

describe("a daemon that dies", () => {
  test("the window says so, keeps what it knew, and finds it again", async () => {
    const world = await World.make({ scripts: { fix: { turns: [say("Done.")] } } });
    try {
      world.addBackend();
      const run = world.start("fix", "Fix the sum");
      await world.reaches(run, "completed", 60_000);
      const { page, done } = await open(browser, world, { path: "/runs" });
      await page.getByRole("option", { name: /Fix the sum/ }).waitFor();
      await world.killDaemon();
      const banner = page.getByText(/lost|cannot be reached/i).first();
      await banner.waitFor();
      assert.ok(await page.getByRole("option", { name: /Fix the sum/ }).isVisible());
      await accessible(page, "disconnected");
      await picture(page, "disconnected");
      await done();
    } finally {
      await world.end();
    }
  });
});
