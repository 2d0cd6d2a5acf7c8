// The shell: window, link to the daemon, tray. What the rooms do is in `rooms.test.mjs`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as tray from "./tray.mjs";
import { until } from "./until.mjs";
import { isGone } from "./window.mjs";
import { say, shell, World } from "./world.mjs";

const BILL = { input: 100_000, output: 5_000 };

let world;
let window;

before(async () => {
  world = await World.make({
    scripts: {
      // Says something, slowly; a daemon killed meanwhile leaves the run interrupted.
      slow: {
        turns: [say("Reading. ".repeat(40), { chunk_delay_ms: 120, usage: BILL }), say("Done.", { usage: BILL })],
      },
      quick: { turns: [say("Done.", { usage: BILL })] },
      asks: { turns: [shell("./deploy --now"), say("Deployed.")] },
    },
  });
  window = await world.open();
});
after(() => world?.end());

const call = (name, request = {}) =>
  window.run(
    `(name, request) => window.__TAURI_INTERNALS__.invoke("call", { name, request })`,
    name,
    request,
  );

test("the window opens, starts the daemon and speaks with it", async () => {
  assert.equal(await window.do("GET", "/title"), "Longhaul");
  const version = await until("the daemon", () => call("version"));
  assert.equal(version.pid, world.daemonPid());
  assert.ok(!isGone(version.pid));
  await until("contents", async () => (await window.text()).trim().length > 0);
  world.addBackend();
});

test("a call that is refused says why and what to do", async () => {
  const refused = await window.run(
    `(run) => window.__TAURI_INTERNALS__.invoke("call", { name: "show", request: { run } }).then(() => null, (error) => error)`,
    "0199ffff",
  );
  assert.equal(refused.code, "not_found");
  assert.ok(refused.message.length > 0 && refused.hint.length > 0);
  const other = await window.run(
    `() => window.__TAURI_INTERNALS__.invoke("call", { name: "../version", request: {} }).then(() => null, (error) => error)`,
  );
  assert.notEqual(other, null);
});

test("the page cannot reach past the shell's own commands", async () => {
  for (const command of ["plugin:opener|open_path", "plugin:dialog|open", "plugin:autostart|enable", "plugin:window|destroy"]) {
    const refused = await window.run(
      `(command) => window.__TAURI_INTERNALS__.invoke(command, {}).then(() => "done", (error) => String(error))`,
      command,
    );
    assert.match(refused, /not allowed/, command);
  }
  const file = await window.run(
    `(url) => window.__TAURI_INTERNALS__.invoke("open_external", { url }).then(() => "done", (error) => error.message)`,
    "file:///etc/passwd",
  );
  assert.equal(file, "only web addresses are opened");
});

test("a run's folder is opened in the file manager, and no other path", async () => {
  const open = (run) =>
    window.run(
      `(run) => window.__TAURI_INTERNALS__.invoke("open_workspace", { run }).then(() => "done", (error) => error.message)`,
      run,
    );
  assert.equal(await open("0199ffff"), "there is no run '0199ffff'");
  const run = world.start("quick");
  await world.reaches(run, "completed");
  assert.equal(await open(run), "done");
  await until("the file manager", () => world.opened().length > 0);
  assert.deepEqual(world.opened(), [world.show(run).workspace.path]);
  world.cli("discard", run);
  assert.equal(await open(run), "the run's workspace is not there");
});

test("nothing is loaded or run from elsewhere", async () => {
  const outside = await window.run(`(url) => fetch(url).then(() => "reached", () => "blocked")`, `${world.url}/`);
  assert.equal(outside, "blocked");
  const inline = await window.run(`() => new Promise((done) => {
    window.hit = false;
    const script = document.createElement("script");
    script.textContent = "window.hit = true";
    document.body.append(script);
    setTimeout(() => done(window.hit), 50);
  })`);
  assert.equal(inline, false);
  await window.run(`(url) => { location.href = url; }`, `${world.url}/`);
  assert.match(await window.do("GET", "/url"), /^tauri:\/\/localhost/);
});

test("the tray says that all is quiet", async () => {
  await until("a quiet tray", () => tray.words().includes("All quiet"));
  const offered = tray.words();
  for (const words of ["New run…", "Open Longhaul", "Quit window (runs go on)", "Stop everything…"]) {
    assert.ok(offered.includes(words), words);
  }
});

test("a review that waits is in the tray, and leads to it", async () => {
  const run = world.start("asks", "Deploy it");
  await world.reaches(run, "waiting");
  const icon = tray.tray().icon;
  await until("the review in the tray", () => tray.words().includes("1 review is waiting…"));
  await tray.choose(/Deploy it .*— asks you/);
  await until("the run's page", async () => (await window.run("() => location.hash")).startsWith(`#/runs/${run}`));
  await tray.choose(/^1 review is waiting…$/);
  await until("the inbox", async () => (await window.run("() => location.hash")).startsWith("#/inbox"));
  assert.ok(icon);
  world.cli("cancel", run);
  await until("a quiet tray", () => tray.words().includes("All quiet"));
});

test("a run that was interrupted by the daemon's death is resumed from the tray", async () => {
  const run = world.start("slow", "Read it all");
  await until("it to be working", () => tray.words().some((words) => words.startsWith("Read it all")));
  const dead = await world.killDaemon();
  // The window's own doing: nobody else is there to start one.
  await until("another daemon", () => world.daemonPid() !== dead && world.show(run).state === "interrupted");
  await tray.choose(/^Resume “Read it all/);
  await world.reaches(run, "completed", 60_000);
  await until("a quiet tray", () => tray.words().includes("All quiet"));
});

test("a daemon that was stopped in good order stays stopped until it is wanted", async () => {
  const pid = world.daemonPid();
  world.cli("daemon", "stop");
  await until("the tray to say so", () => tray.words().includes("Stopped: nothing runs"));
  assert.ok(isGone(pid));
  await tray.choose(/^Start Longhaul again$/);
  await until("a quiet tray", () => tray.words().includes("All quiet"));
  assert.notEqual(world.daemonPid(), pid);
});

test("events reach the page as they happen, and the stream says when it ends", async () => {
  await window.run(`() => {
    window.items = [];
    const internals = window.__TAURI_INTERNALS__;
    const id = internals.transformCallback(({ message }) => { if (message) window.items.push(...message); });
    return internals.invoke("subscribe", { after: null, run: null, channel: "__CHANNEL__:" + id });
  }`);
  const has = (what) => until(what, () => window.run(`(type) => window.items.some((item) => item.type === type)`, what));
  await has("hello");
  const run = world.start("quick");
  await has("event");
  await world.reaches(run, "completed");
  const ours = await window.run(`(run) => window.items.filter((item) => item.frame?.run === run).map((item) => item.frame.entry.seq)`, run);
  assert.deepEqual(ours, ours.map((_, index) => index + 1), "in order, each once");
  await world.killDaemon();
  await has("end");
  await until("the daemon", () => call("version"));
});
