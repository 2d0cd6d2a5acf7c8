// Coming and going: the window may be closed, hidden, quit and opened again; runs go on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as screen from "./screen.mjs";
import * as tray from "./tray.mjs";
import { until } from "./until.mjs";
import { isGone } from "./window.mjs";
import { say, World } from "./world.mjs";

const TITLE = "^(\\([0-9]+\\) )?Longhaul$";

let world;

before(async () => {
  world = await World.make({
    scripts: {
      slow: { turns: [say("Reading. ".repeat(200), { chunk_delay_ms: 100 }), say("Done.")] },
    },
  });
});
after(() => world?.end());

const runs = (app) => app.exitCode === null && app.signalCode === null;

/** Starts the application without a driver, as a desktop does. */
function launch(...args) {
  const out = openSync(join(world.folder, "window.log"), "a");
  const app = spawn(world.desktop(), args, { env: world.env, stdio: ["ignore", out, out] });
  world.started.push(app);
  return app;
}

test("started at login it shows a tray icon and no window", async () => {
  launch("--hidden");
  await until("the tray", () => tray.words().includes("All quiet"));
  assert.deepEqual(screen.windows(TITLE), []);
  world.addBackend();
});

test("a second start opens the window of the first, and ends", async () => {
  const second = launch();
  const [code] = await once(second, "exit");
  assert.equal(code, 0);
  await screen.appears(TITLE);
  const third = launch("longhaul://inbox");
  await once(third, "exit");
  assert.equal(screen.windows(TITLE).length, 1);
});

test("a closed window is in the tray, and comes back from it", async () => {
  screen.close(screen.windows(TITLE)[0]);
  await screen.disappears(TITLE);
  assert.ok(tray.words().includes("Open Longhaul"));
  await tray.choose(/^Open Longhaul$/);
  await screen.appears(TITLE);
});

test("quitting the window leaves a run to finish", async () => {
  const run = world.start("slow", "Read on");
  await until("it in the tray", () => tray.words().some((words) => words.startsWith("Read on")));
  await tray.choose(/^Quit window/);
  await until("the window's end", () => !world.started.some(runs));
  assert.equal(tray.tray(), null);
  assert.equal(world.show(run).state, "running");
  await world.reaches(run, "completed", 60_000);
});

test("a killed window leaves a run to finish, and the next one shows it", async () => {
  const app = launch();
  await screen.appears(TITLE);
  const run = world.start("slow", "Read again");
  await until("it in the tray", () => tray.words().some((words) => words.startsWith("Read again")));
  app.kill("SIGKILL");
  await once(app, "exit");
  assert.equal(world.show(run).state, "running");
  launch(`longhaul://run/${run}`);
  await until("it in the tray", () => tray.words().some((words) => words.startsWith("Read again")));
  await world.reaches(run, "completed", 60_000);
});

test("stopping everything asks first, and then drains", async () => {
  const pid = world.daemonPid();
  await tray.choose(/^Stop everything…$/);
  screen.press(await screen.appears("Stop everything"), "Escape");
  await screen.disappears("Stop everything");
  assert.ok(!isGone(pid));
  await tray.choose(/^Stop everything…$/);
  // The left one of two buttons along the lower edge.
  screen.click(await screen.appears("Stop everything"), 0.25, 0.9);
  await until("the daemon's end", () => isGone(pid));
  await until("the tray to say so", () => tray.words().includes("Stopped: nothing runs"));
  assert.ok(!existsSync(join(world.home, "daemon.pid")));
  await tray.choose(/^Start Longhaul again$/);
  await until("a quiet tray", () => tray.words().includes("All quiet"));
});

test("without a tray closing quits, which is explained once", async () => {
  const panel = Number(readFileSync(join(process.env.LH_DESKTOP, "panel.pid"), "utf8"));
  process.kill(panel);
  await until("the panel's end", () => isGone(panel));
  const [app] = world.started.filter(runs);
  screen.close(await screen.appears(TITLE));
  screen.press(await screen.appears("Runs go on"), "Return");
  await until("its end", () => !runs(app));
  assert.equal(app.exitCode, 0);
  const again = launch();
  screen.close(await screen.appears(TITLE));
  await until("its end", () => !runs(again));
  assert.deepEqual(screen.windows("Runs go on"), []);
  assert.equal(world.json("daemon", "status").mode, "normal");
});
