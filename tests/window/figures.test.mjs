// How long the application takes to be there, and how much memory it and its webview take
// while twenty runs are alive. Measured on whatever machine this is, and said with it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { after, before, test } from "node:test";
import { until } from "./until.mjs";
import { say, World } from "./world.mjs";

/** How much slower than its target a machine with other work may be before this fails. */
const NOISE = Number(process.env.LH_NOISE ?? 4);
/** Target: from the process's start until the first room has its contents, daemon warm. */
const START_MS = 1_000;
const LIVE = 20;
/** No target is set for memory; this is what would be a leak. */
const LEAK_MB = 1_500;
/** Clock ticks a second in /proc, sysconf(_SC_CLK_TCK) on Linux. */
const TICKS = 100;

let world;
let window;

before(async () => {
  world = await World.make({
    config: `slots = ${LIVE}\n`,
    scripts: { live: { turns: [say("Reading on. ".repeat(600), { chunk_delay_ms: 200 }), say("Done.")] } },
  });
  world.addBackend();
});
after(() => world?.end());

const stat = (pid) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
const name = (pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim();

/** When a process was started, in milliseconds since 1970. */
function startOf(pid) {
  const boot = Number(/btime (\d+)/.exec(readFileSync("/proc/stat", "utf8"))[1]);
  const up = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  // btime is whole seconds: what is exact is how long ago it was.
  assert.ok(boot > 0);
  return Date.now() - (up - Number(stat(pid)[19]) / TICKS) * 1_000;
}

/** Megabytes a process takes, shared pages counted in parts. */
function megabytes(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)[1]) / 1024;
}

const machine = () => `${cpus().length} x ${cpus()[0].model}, debug build, load ${readFileSync("/proc/loadavg", "utf8").split(" ")[0]}`;

test("it is there soon after its start", async (t) => {
  assert.ok(world.json("daemon", "status").pid, "the daemon is there already");
  window = await world.open();
  // Contents first, then the frame that shows them: without a graphics card that one is slow.
  const [page, there, drawn] = await window.run(`async () => {
    const found = () => document.body.innerText.includes("Nothing needs you");
    while (!found()) await new Promise((done) => setTimeout(done, 5));
    const there = Date.now();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    return [performance.timeOrigin, there, Date.now()];
  }`);
  const app = window.processes.find((pid) => name(pid).startsWith("longhaul-deskto"));
  assert.ok(app, "the application's process");
  const start = startOf(app);
  const [before, ms, frame] = [page, there, drawn].map((at) => Math.round(at - start));
  t.diagnostic(
    `start to contents, under WebDriver: ${ms} ms (target ${START_MS}), ${before} of them before the page; ` +
      `drawn after ${frame} ms; ${machine()}`,
  );
  assert.ok(ms < START_MS * NOISE, `${ms} ms`);
});

test("twenty live runs fit", async (t) => {
  for (let n = 0; n < LIVE; n += 1) world.start("live", `Run ${n}`);
  await window.go("/runs");
  const running = () => world.json("runs", "--state", "running").runs.length;
  await until("all of them alive", () => running() === LIVE, 60_000);
  await window.reads("Run 19", 30_000);
  // Some time with all of them streaming, on a room that shows them.
  const end = Date.now() + 5_000;
  await until("five seconds", () => Date.now() > end, 10_000);
  const all = window.processes.filter((pid) => /longhaul-deskto|WebKit/.test(name(pid)) && !/Driver/.test(name(pid)));
  const parts = all.map((pid) => [name(pid), Math.round(megabytes(pid))]);
  const sum = parts.reduce((total, [, mb]) => total + mb, 0);
  assert.ok(parts.length >= 2, `application and webview: ${JSON.stringify(parts)}`);
  t.diagnostic(`${LIVE} live runs: ${sum} MB (${parts.map((part) => part.join(" ")).join(", ")}); ${machine()}`);
  assert.ok(sum < LEAK_MB, `${sum} MB`);
});
