// Every room in a real browser, over made-up data: under the strict CSP, light and dark, wide and
// narrow and zoomed to 200 %. Fails on what axe finds, on errors, and on what is cut off.
// `npm run look [-- FOLDER]` keeps the screenshots in FOLDER.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { build } from "vite";
import { serve } from "./serve.mjs";

const RUN = "019a0000-0000-7000-8000-000000000040";
const ROOMS = {
  inbox: "/inbox",
  runs: "/runs",
  timeline: `/runs/${RUN}/timeline`,
  changes: `/runs/${RUN}/changes`,
  trace: `/runs/${RUN}/trace`,
  cost: `/runs/${RUN}/cost`,
  details: `/runs/${RUN}/details`,
  costs: "/costs",
  health: "/health",
  backends: "/settings/backends",
  settings: "/settings/work",
  rules: "/settings/rules?project=%2Fhome%2Fada%2Fparser&",
  webhook: "/settings/webhook",
  appearance: "/settings/appearance",
  welcome: "/welcome",
  new: "/new",
};
const LOOKS = [
  { name: "light", colorScheme: "light", width: 1280 },
  { name: "dark", colorScheme: "dark", width: 1280 },
  { name: "narrow", colorScheme: "light", width: 720 },
  // The same window at 200 %: half the room in every direction.
  { name: "zoomed", colorScheme: "light", width: 640, height: 410, zoom: 2 },
];

const folder = process.argv[2];
const out = join(process.cwd(), "node_modules", ".demo");
await build({ mode: "demo", logLevel: "error", build: { outDir: out, emptyOutDir: true } });
const site = await serve(out);
const axe = await readFile("node_modules/axe-core/axe.min.js", "utf8");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
});
if (folder) await mkdir(folder, { recursive: true });

const problems = [];

/** Nothing is still being read; what is drawn faint because it is not armed yet, is armed. */
function isSettled() {
  const said = [...document.querySelectorAll("main [role=status]")].map((one) => one.textContent);
  const reading = said.some((words) => /^(Loading|Reading)/.test(words ?? ""));
  return !reading && !document.querySelector("[data-armed=false]");
}

/** What one came for has room, however large the text is around it. */
function isCrowded() {
  const why = document.querySelector('[aria-label="Why it was flagged"]');
  const choices = document.querySelector("[data-armed]")?.firstElementChild;
  if (why && choices) {
    const hidden = why.getBoundingClientRect().bottom > choices.getBoundingClientRect().top;
    return hidden && "the choices cover why it is asked";
  }
  const timeline = document.querySelector('section[aria-label="Timeline"]');
  return timeline && timeline.clientHeight < 0.35 * innerHeight && "the timeline has no room";
}

async function look(page, room, path, name) {
  const where = `${room} (${name})`;
  await page.goto(`${site.address}/?fake#${path}`);
  await page.reload();
  await page.waitForSelector("h1");
  await page.waitForFunction(isSettled, null, { timeout: 15_000 }).catch(() => {
    problems.push(`${where}: still loading after 15 s`);
  });
  await page.waitForTimeout(300);
  if (folder) await page.screenshot({ path: join(folder, `${room}-${name}.png`) });
  // By evaluation, which the CSP does not forbid to a test.
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document));
  for (const violation of found.violations) {
    const nodes = violation.nodes
      .slice(0, 3)
      .map((n) => `${n.html.slice(0, 160)} ${n.any[0]?.message ?? ""}`);
    problems.push(`${where}: ${violation.id}\n    ${nodes.join("\n    ")}`);
  }
  const sideways = await page.evaluate(
    () => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1,
  );
  if (sideways) problems.push(`${where}: the page is wider than the window`);
  const crowded = await page.evaluate(isCrowded);
  if (crowded) problems.push(`${where}: ${crowded}`);
}

for (const view of LOOKS) {
  const page = await browser.newPage({
    viewport: { width: view.width, height: view.height ?? 820 },
    deviceScaleFactor: view.zoom ?? 1,
    colorScheme: view.colorScheme,
  });
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));
  for (const [room, path] of Object.entries(ROOMS)) await look(page, room, path, view.name);
  await page.close();
}
await browser.close();
site.close();
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.stdout.write(
  `${Object.keys(ROOMS).length} rooms, ${LOOKS.length} looks, ${problems.length} problems\n`,
);
process.exitCode = problems.length > 0 ? 1 : 0;
