// Chromium through playwright-core: pages, pictures, and what axe finds.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";

// The interface's packages are the only ones there are.
const require = createRequire(new URL("../../ui/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Where the pictures go; README's are copied from here. */
export const PICTURES = process.env.LH_PICTURES ?? new URL("../../target/pictures", import.meta.url).pathname;
mkdirSync(PICTURES, { recursive: true });

const CHROMIUM = process.env.LH_CHROMIUM ?? "/usr/bin/chromium";

/** Nothing but what was asked for: no updates, no background traffic. */
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The interface from this folder, where the daemon under test was built with another one. */
const UI = process.env.LH_UI;

const serveFrom = (context, folder) =>
  context.route(/^http:\/\/[^/]+\/(?!v1\/)/, (route) => {
    const { pathname } = new URL(route.request().url());
    return route.fulfill({ path: join(folder, pathname === "/" ? "index.html" : pathname) });
  });

export const launch = () => chromium.launch({ executablePath: CHROMIUM, args: QUIET });

/** A page on the world's daemon. Whatever it logs as an error, or asks of another host, fails the test at `done`. */
export async function open(browser, world, { path = "/", dark = false, size = { width: 1280, height: 800 } } = {}) {
  const context = await browser.newContext({
    viewport: size,
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
  });
  if (UI) await serveFrom(context, UI);
  const page = await context.newPage();
  const wrong = [];
  const elsewhere = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    // A refused call is shown by the interface; that Chromium logs it too is no defect.
    if (message.type() === "error" && !/Failed to load resource|ERR_CONNECTION/.test(message.text())) wrong.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(world.origin) && !request.url().startsWith("blob:")) elsewhere.push(request.url());
  });
  await page.goto(world.address);
  await page.getByRole("navigation").first().waitFor();
  if (path !== "/") await go(page, path);
  return {
    page,
    context,
    elsewhere,
    async done() {
      await context.close();
      assert.deepEqual(wrong, [], "the page reported errors");
      assert.deepEqual(elsewhere, [], "the page asked other hosts");
    },
  };
}

export const go = (page, path) =>
  page.evaluate((to) => {
    window.location.hash = to;
  }, path);

/** Waits until nothing in the room is still being read. */
export const settled = (page) => page.locator("main [role=status]").filter({ hasText: /^(Loading|Reading)/ }).first().waitFor({ state: "detached" });

/** Waits until what was drawn is on screen, then takes a picture. */
export async function picture(page, name) {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

/** Nothing that axe calls serious or critical. Chromium computes colours, so contrast is looked at too. */
export async function accessible(page, what) {
  // The page's own policy forbids scripts that are not its own; the test's one comes past it.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(`${AXE}; void 0`);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations
      .filter((v) => v.impact === "serious" || v.impact === "critical")
      .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.failureSummary}`).join(" | ")}`);
  });
  assert.deepEqual(found, [], `axe on ${what}`);
}

/** Nothing is cut off to the side. */
export async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${what} is ${over} px wider than the window`);
}
