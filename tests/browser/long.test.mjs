// Homes as they are after a month: thousands of runs, and one run that goes on and on.
// What takes how long is printed, not judged: `LH_RUNS=10000 LH_EVENTS=100000` for the
// figures in README, on a machine that does nothing else.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, go, launch, open, picture } from "./browser.mjs";
import { World } from "./world.mjs";

const RUNS = Number(process.env.LH_RUNS ?? 2000);
const EVENTS = Number(process.env.LH_EVENTS ?? 20000);

let browser;
let world;
before(async () => {
  browser = await launch();
  world = await World.make({ seed: ["--runs", `${RUNS}`, "--long", `${EVENTS}`, "--reviews", "5", "--days", "30"] });
});
after(async () => {
  await browser.close();
  await world.end();
});

/** The longest frame while `act` goes on, in ms. */
async function longestFrame(page, act) {
  await page.evaluate(() => {
    window.__frames = [];
    let last = performance.now();
    const frame = (now) => {
      window.__frames.push(now - last);
      last = now;
      window.__watching = requestAnimationFrame(frame);
    };
    window.__watching = requestAnimationFrame(frame);
  });
  await act();
  return page.evaluate(() => {
    cancelAnimationFrame(window.__watching);
    return Math.round(Math.max(...window.__frames.slice(1)));
  });
}

test("every run is in the list, and the oldest is one key away", async (t) => {
  const { page, done } = await open(browser, world, { path: "/runs" });
  await page.getByText(new RegExp(`^${RUNS.toLocaleString("en-US").replace(",", ",?")}|${(RUNS + 1).toLocaleString("en-US")}`)).first().waitFor();
  const list = page.getByRole("listbox", { name: "Runs" });
  await list.focus();
  const worst = await longestFrame(page, async () => {
    for (let n = 0; n < 20; n++) {
      await list.press("PageDown");
    }
  });
  t.diagnostic(`${RUNS} runs: longest frame while paging ${worst} ms`);
  await list.press("End");
  const rows = await page.getByRole("option").count();
  assert.ok(rows < 100, `only what is in sight exists: ${rows} rows`);
  await accessible(page, "many runs");
  await picture(page, "many-runs-light");
  await done();
});

test("a text is found in runs of long ago", async () => {
  const { page, done } = await open(browser, world, { path: "/runs" });
  const first = page.getByRole("option").first();
  await first.waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("zzz-there-is-no-such-word");
  await page.getByText("No run fits").waitFor();
  await page.getByRole("button", { name: "Show all runs" }).click();
  await first.waitFor();
  await done();
});

test("the run that goes on and on opens at its end and scrolls to its start", async (t) => {
  const { page, done } = await open(browser, world, { path: "/runs" });
  await page.getByRole("option").first().waitFor();
  const began = Date.now();
  await go(page, `/runs/${world.longRun}/timeline`);
  await page.getByRole("tabpanel").getByText(/^Step \d+$/).first().waitFor();
  t.diagnostic(`${EVENTS} events: from click to first contents ${Date.now() - began} ms`);
  const panel = page.getByRole("tabpanel");
  const last = await panel.getByText(/^Step \d+$/).last().innerText();
  assert.ok(Number(last.slice(5)) > EVENTS / 20, `it opens at its end: ${last}`);
  await panel.hover();
  const worst = await longestFrame(page, async () => {
    for (let n = 0; n < 30; n++) {
      await page.mouse.wheel(0, -1500);
      await page.evaluate(() => new Promise((frame) => requestAnimationFrame(frame)));
    }
  });
  t.diagnostic(`${EVENTS} events: longest frame while scrolling ${worst} ms`);
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("g");
  await panel.getByText("Step 1", { exact: true }).waitFor();
  await accessible(page, "a long run");
  await picture(page, "long-run-light");
  await done();
});

test("costs of a month", async () => {
  // Without today, whose one long run would dwarf the other days.
  const day = (ago) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
  const { page, done } = await open(browser, world, { path: `/costs?range=custom&from=${day(28)}&to=${day(1)}` });
  await page.getByRole("table", { name: "Costs by model" }).getByRole("row").nth(1).waitFor();
  await page.getByRole("figure", { name: /Cost of each day/ }).waitFor();
  await accessible(page, "costs of a month");
  await picture(page, "costs-month-light");
  await done();
});
