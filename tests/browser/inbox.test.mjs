// The queue from the keyboard alone: fifty items, one key each, nothing lost on the way.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../window/until.mjs";
import { go, launch, open, picture } from "./browser.mjs";
import { say, World } from "./world.mjs";

const ITEMS = 50;

/** A new item cannot be hit before this, by design (UX.md: 500 ms arming). */
const ARMED_MS = 520;

const asking = (n) => ({ type: "tool_use", name: "shell", input: { command: `touch file-${n}.key` } });

let browser;
let world;
before(async () => {
  browser = await launch();
  world = await World.make({
    scripts: {
      many: { turns: [{ blocks: Array.from({ length: ITEMS }, (_, n) => asking(n)) }, say("All are there.")] },
      one: { turns: [{ blocks: [asking(0)] }, say("It is there.")] },
    },
  });
  world.addBackend();
});
after(async () => {
  await browser.close();
  await world.end();
});

const openReviews = () => world.json("reviews").reviews.length;

/** Records how long each key takes until another item is the current one and drawn. */
const watchKeys = (page) =>
  page.evaluate(() => {
    const list = () => document.querySelector("[role=listbox]");
    const current = () => list()?.getAttribute("aria-activedescendant") ?? null;
    window.__took = [];
    window.addEventListener(
      "keydown",
      () => {
        const pressed = performance.now();
        const was = current();
        const look = () => {
          if (current() !== was) requestAnimationFrame(() => window.__took.push(performance.now() - pressed));
          else if (performance.now() - pressed < 2000) setTimeout(look, 1);
        };
        look();
      },
      { capture: true },
    );
  });

test(`${ITEMS} reviews are drained with one key each`, async (t) => {
  const run = world.start("many", "Make files");
  await until("all reviews", () => openReviews() === ITEMS, 60_000);
  const { page, done } = await open(browser, world, { path: "/inbox" });
  await page.getByRole("option").first().waitFor();
  await page.keyboard.press("j");
  await watchKeys(page);
  await picture(page, "inbox-full-light");
  for (let n = 0; n < ITEMS; n++) {
    await page.waitForTimeout(ARMED_MS);
    const name = await page.evaluate(() => {
      const id = document.querySelector("[role=listbox]")?.getAttribute("aria-activedescendant");
      return document.getElementById(id ?? "")?.textContent ?? "";
    });
    assert.match(name, /touch file-\d+/, `item ${n} has a name`);
    await page.keyboard.press("a");
    const lost = await page.evaluate(() => document.activeElement === document.body && document.querySelector("[role=listbox]") !== null);
    assert.ok(!lost, `the focus is lost after item ${n}`);
  }
  await until("everything decided", () => openReviews() === 0, 30_000);
  await world.reaches(run, "completed", 60_000);
  const took = (await page.evaluate(() => window.__took)).sort((a, b) => a - b);
  assert.ok(took.length >= ITEMS - 1, `measured ${took.length} keys`);
  const [p50, p95] = [0.5, 0.95].map((p) => Math.round(took[Math.floor(p * (took.length - 1))]));
  t.diagnostic(`from key to next item: p50 ${p50} ms, p95 ${p95} ms, worst ${Math.round(took.at(-1))} ms`);
  await picture(page, "inbox-drained-light");
  await done();
});

test("a decision can be taken back within five seconds, and is then open again", async () => {
  const run = world.start("one", "Make a file");
  await world.reaches(run, "waiting", 60_000);
  const { page, done } = await open(browser, world, { path: "/inbox" });
  await page.getByRole("option").first().waitFor();
  await page.keyboard.press("j");
  await page.waitForTimeout(ARMED_MS);
  await page.keyboard.press("a");
  await page.getByRole("button", { name: /Undo/ }).first().waitFor();
  await page.keyboard.press("u");
  await until("the review to be open again", () => openReviews() === 1);
  await page.getByRole("option", { name: /touch file-0/ }).waitFor();
  assert.equal(world.show(run).state, "waiting");
  await done();
});

test("a key that is held decides nothing", async () => {
  const { page, done } = await open(browser, world, { path: "/runs" });
  await page.getByRole("option").first().waitFor();
  // Held since before there was an item, and repeating after it is armed.
  await page.keyboard.down("a");
  await go(page, "/inbox");
  await page.getByRole("option", { name: /touch file-0/ }).waitFor();
  for (let n = 0; n < 10; n++) {
    await page.waitForTimeout(100);
    await page.keyboard.down("a");
  }
  await page.keyboard.up("a");
  assert.equal(openReviews(), 1);
  await done();
});
