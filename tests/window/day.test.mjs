// A day with the window: a key, a run, a question, a crash, the bill. On live data, from
// the first click to the last figure.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import * as tray from "./tray.mjs";
import { until } from "./until.mjs";
import { KEY as KEYS } from "./window.mjs";
import { KEY, say, shell, World } from "./world.mjs";

/** $0.20 in, $0.05 out: a quarter of a dollar an answer. */
const BILL = { input: 100_000, output: 5_000 };

let world;
let window;
let run;

before(async () => {
  world = await World.make({
    scripts: {
      day: {
        turns: [
          shell("./deploy --now", { usage: BILL }),
          say("Deploying, bit by bit. ".repeat(90), { chunk_delay_ms: 100, usage: BILL }),
        ],
      },
    },
  });
  world.addBackend("test-key-wrong-0000");
  window = await world.open();
});
after(async () => {
  if (window) await window.picture(`${process.env.LH_DESKTOP}/last.png`).catch(() => {});
  await world?.end();
});

/** Keeps every line that is ever shown from now on: some are gone before one can look. */
const watch = () =>
  window.run(`() => {
    window.shown = "";
    new MutationObserver(() => { window.shown += document.body.innerText; })
      .observe(document.body, { subtree: true, childList: true, characterData: true });
  }`);
const wasShown = (words) => window.run(`(words) => window.shown.includes(words)`, words);

test("a key typed in Settings is in the keychain and nowhere else", async () => {
  await window.go("/settings/backends");
  await window.click("button", "More for model");
  await window.click("menuitem", "Replace the key…");
  await window.type("textbox", "Key", KEY);
  await window.click("button", "Test and replace");
  await window.reads("model has its new key");
  const kept = execFileSync("secret-tool", ["search", "--all", "service", "longhaul"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  assert.ok(kept.includes(`secret = ${KEY}`), "the keychain has it");
  const found = execFileSync("sh", ["-c", `grep -rlaF -e "${KEY}" "${world.folder}" "$HOME" || true`], { encoding: "utf8" });
  assert.equal(found, "", "no file has it");
  const page = await window.run(`() => document.documentElement.outerHTML + JSON.stringify({ ...localStorage, ...sessionStorage })`);
  assert.ok(!page.includes(KEY), "the page has it no more");
  const list = await window.run(`() => window.__TAURI_INTERNALS__.invoke("call", { name: "backend_list", request: {} }).then(JSON.stringify)`);
  assert.ok(!list.includes(KEY), "no call hands it back");
});

test("a run is started in the window", async () => {
  await window.go("/new");
  await window.type("textbox", "Project folder", world.project);
  await window.type("textbox", "What is to be done", "Deploy the calculator [[script:day]]");
  await window.click("button", /^Start the run/);
  await until("its page", async () => (await window.run("() => location.hash")).startsWith("#/runs/"));
  [, run] = /#\/runs\/([0-9a-f-]+)/.exec(await window.run("() => location.hash"));
  await world.reaches(run, "waiting");
  await window.reads("Deploy the calculator");
});

test("it asks, and is approved from the keyboard", async () => {
  await window.press("gi");
  await window.reads("./deploy --now");
  assert.equal(world.json("reviews").reviews.length, 1);
  // Not before it has been there for half a second: a key that is held must not decide.
  await until("the approval to be taken", async () => {
    await window.press("a");
    return (await window.text()).includes("Undo");
  });
  await until("the approval to be in effect", () => world.json("reviews").reviews.length === 0);
  await until("the next answer", () => world.show(run).usage.requests >= 1 && world.show(run).state === "running");
});

test("the daemon is killed in the middle: the window says so, and recovers", async () => {
  await window.go(`/runs/${run}/timeline`);
  await window.reads("Deploying, bit by bit.");
  await watch();
  await world.killDaemon();
  await until("the loss to be said", () => wasShown("Connection to the daemon lost"));
  await window.reads("Connected");
  await until("the run's new state", async () => /interrupted/i.test(await window.text()));
  assert.ok((await window.text()).includes("Deploy the calculator"), "what was known stayed");
});

test("it is resumed from the tray, and completes before the eyes", async () => {
  await tray.choose(/^Resume “Deploy the calculator/);
  await world.reaches(run, "completed", 60_000);
  await until("the window to say so", async () => /completed/i.test(await window.text()));
});

test("the cost shown is what the model's server billed", async () => {
  const shown = world.show(run);
  // Two answers arrived whole; the one that was cut is unsettled and kept apart.
  assert.equal(shown.usage.input, 2 * BILL.input);
  assert.equal(shown.usage.output, 2 * BILL.output);
  assert.equal(shown.cost_usd, "0.5");
  await window.press("gc");
  await window.reads("Spent");
  await window.reads("$0.50");
});

test("the palette finds a room without a mouse", async () => {
  await window.press("k", KEYS.control);
  await until("the palette", () => window.byRole("dialog", /.*/));
  await window.press("health");
  await until("it to be found", () => window.run(`() => document.querySelector("[data-focused]")?.innerText.startsWith("Health")`));
  await window.press(KEYS.enter);
  await until("the room", async () => (await window.run("() => location.hash")).startsWith("#/health"));
});
