// A model that talks fast must not make typing slow: key to paint while some hundred pieces a
// second stream in, in the room that shows them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.mjs";
import { say, World } from "./world.mjs";

/** What UX.md allows. */
const LAG_MS = 100;
/** Other work on the machine: a debug daemon, compilers beside. It fails at so many times the limit. */
const NOISE = Number(process.env.LH_NOISE ?? 3);

/** The scripted model sends a piece every so many ms, one run beside the other. */
const PIECE_MS = 10;
const RUNS = 5;
const WORDS = "word ".repeat(12_000);

let browser;
let world;
before(async () => {
  browser = await launch();
  world = await World.make({ scripts: { talk: { turns: [say(WORDS, { chunk_delay_ms: PIECE_MS })] } } });
  world.addBackend();
});
after(async () => {
  await browser.close();
  await world.end();
});

test("typing stays ahead of what streams in", async (t) => {
  const runs = Array.from({ length: RUNS }, (_, n) => world.start("talk", `Talk ${n}`));
  for (const run of runs) await world.reaches(run, "running", 60_000);
  const { page, done } = await open(browser, world, { path: `/runs/${runs[0]}/timeline` });
  await page.getByText(/word word word/).first().waitFor();
  const pieces = await page.evaluate(() => {
    const seen = { count: 0 };
    const parse = JSON.parse;
    // Every piece is parsed once, whatever becomes of it.
    JSON.parse = (text, ...rest) => {
      if (typeof text === "string" && text.includes('"kind":"text"')) seen.count++;
      return parse(text, ...rest);
    };
    window.__pieces = seen;
    window.__lag = [];
    window.addEventListener(
      "keydown",
      () => {
        const pressed = performance.now();
        // The frame with the letter in it, and what comes after that frame was drawn.
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => window.__lag.push(performance.now() - pressed);
          port2.postMessage(null);
        });
      },
      { capture: true },
    );
    return seen.count;
  });
  const box = page.getByRole("textbox").last();
  await box.focus();
  const began = Date.now();
  await page.keyboard.type("please look at the other file first, then go on", { delay: 60 });
  const took = (Date.now() - began) / 1000;
  assert.equal(await box.inputValue(), "please look at the other file first, then go on");
  const lag = (await page.evaluate(() => window.__lag)).sort((a, b) => a - b);
  const streamed = (await page.evaluate(() => window.__pieces.count)) - pieces;
  const [p50, p95] = [0.5, 0.95].map((p) => Math.round(lag[Math.floor(p * (lag.length - 1))]));
  t.diagnostic(`${Math.round(streamed / took)} pieces/s: key to paint p50 ${p50} ms, p95 ${p95} ms, worst ${Math.round(lag.at(-1))} ms`);
  assert.ok(streamed > 0, "nothing streamed while typing: nothing was measured");
  assert.ok(p95 <= LAG_MS * NOISE, `p95 ${p95} ms is over ${LAG_MS * NOISE} ms`);
  await done();
});
