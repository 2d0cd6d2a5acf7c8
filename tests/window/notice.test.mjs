// A notification of the application decides a review, and leads to one.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { until } from "./until.mjs";
import { say, shell, World } from "./world.mjs";

let world;
let window;

before(async () => {
  world = await World.make({
    scripts: {
      look: { turns: [shell("ls -la"), say("Looked.")] },
      ask: { turns: [shell("./deploy --now"), say("Deployed.")] },
    },
  });
  window = await world.open();
  await until("the daemon", () => world.daemonPid());
  world.addBackend();
});
after(() => world?.end());

const dunstctl = (...args) => execFileSync("dunstctl", args, { encoding: "utf8", timeout: 10_000 }).trim();
const displayed = () => Number(dunstctl("count", "displayed"));

/** Takes one of the actions of what is displayed, as a person does from its menu. */
function pick(words) {
  writeFileSync(join(process.env.LH_DESKTOP, "pick"), words);
  dunstctl("context");
}

function start(script, policy) {
  const prompt = `Do it [[script:${script}]]`;
  return world.json("run", "--project", world.project, "--backend", "model", "--policy", policy, "--detach", prompt).id;
}

test("what only reads is approved on its notification", async () => {
  const run = start("look", "careful");
  await world.reaches(run, "waiting");
  await until("a notification", () => displayed() > 0);
  pick("Approve");
  await world.reaches(run, "completed");
  const decided = world.cli("logs", run, "--json").split("\n").filter((line) => line.includes("review_decided"));
  assert.equal(decided.length, 1);
});

test("what does more is opened from it, and decided in the window", async () => {
  dunstctl("close-all");
  await until("no notification", () => displayed() === 0);
  const run = start("ask", "balanced");
  await world.reaches(run, "waiting");
  await until("a notification", () => displayed() > 0);
  pick("Open");
  const [review] = world.json("reviews").reviews;
  await until("the review's place", async () => (await window.run("() => location.hash")).startsWith(`#/inbox/${review.id}`));
  await window.reads("./deploy --now");
  assert.equal(world.show(run).state, "waiting");
});
