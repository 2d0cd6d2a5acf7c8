// Notices: the application shows them while it runs, the daemon when it is gone.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { until } from "./until.mjs";
import { say, shell, World } from "./world.mjs";

const DESKTOP = process.env.LH_DESKTOP;

let world;
let window;

before(async () => {
  world = await World.make({
    scripts: {
      look: { turns: [shell("ls -la"), say("There is a README.")] },
      deploy: { turns: [shell("./deploy --now"), say("Deployed.")] },
      quick: { turns: [say("Done.")] },
    },
  });
  window = await world.open();
  await until("a daemon", () => world.daemonPid() > 0 && world.cli("daemon", "status"));
  world.addBackend();
});
after(() => world?.end());

const start = (script, policy) => {
  const prompt = `Please [[script:${script}]]`;
  const where = ["--project", world.project, "--backend", "model", "--policy", policy];
  return world.json("run", ...where, "--detach", prompt).id;
};

const dunst = (...args) => execFileSync("dunstctl", args, { encoding: "utf8" }).trim();
const shown = (count) => until(`${count} on the screen`, () => dunst("count", "displayed") === String(count));

/** How many notices the daemon has shown by itself. */
const shownByDaemon = () => {
  const logs = join(world.home, "logs");
  const text = readdirSync(logs).map((name) => readFileSync(join(logs, name), "utf8"));
  return text.join("").split("a notice was shown").length - 1;
};

test("a review is approved on its notification", async () => {
  const run = start("look", "careful");
  await shown(1);
  writeFileSync(join(DESKTOP, "pick"), "Approve");
  dunst("context");
  await world.reaches(run, "completed");
  const offered = readFileSync(join(DESKTOP, "offered"), "utf8");
  for (const action of ["Approve", "Reject", "Open"]) assert.ok(offered.includes(action), offered);
  const decided = world.cli("logs", run, "--json").split("\n").find((line) => line.includes("review_decided"));
  assert.equal(JSON.parse(decided).event.answer.by, "notification");
  assert.equal(shownByDaemon(), 0);
  await shown(0);
});

test("a click on a notification opens the review", async () => {
  const run = start("deploy", "balanced");
  await shown(1);
  const [review] = world.json("reviews").reviews;
  dunst("action", "0");
  await until("the review's page", async () => (await window.run("() => location.hash")) === `#/inbox/${review.id}`);
  world.cli("cancel", run);
  await shown(0);
  assert.equal(shownByDaemon(), 0);
});

test("a review that is decided elsewhere takes its notification with it", async () => {
  const run = start("deploy", "balanced");
  await shown(1);
  world.cli("cancel", run);
  await shown(0);
});

test("without the application the daemon shows it", async () => {
  await window.end();
  rmSync(join(DESKTOP, "offered"), { force: true });
  const run = start("quick", "balanced");
  await until("the daemon's own notification", () => shownByDaemon() === 1);
  await shown(1);
  assert.equal(world.show(run).state, "completed");
});
