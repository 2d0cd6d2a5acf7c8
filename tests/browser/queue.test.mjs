// A queue nobody has looked at for long: a thousand reviews of two hundred runs. What takes how
// long is printed, not judged; README has the figures of a quiet machine.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, go, launch, open, picture } from "./browser.mjs";
import { World } from "./world.mjs";

let browser;
let world;
before(async () => {
  browser = await launch();
  world = await World.make({ seed: ["--runs", "200", "--reviews", "200", "--calls", "5", "--days", "1"] });
});
after(async () => {
  await browser.close();
  await world.end();
});

test("a thousand reviews open, and equals are found among them", async (t) => {
  const { page, done } = await open(browser, world, { path: "/runs" });
  await page.getByRole("option").first().waitFor();
  const began = Date.now();
  await go(page, "/inbox");
  await page.getByRole("listbox", { name: "Reviews" }).getByRole("option").first().waitFor();
  t.diagnostic(`1,000 open reviews of 200 runs: from click to the first item ${Date.now() - began} ms`);
  await page.getByRole("tab", { name: "Waiting (1000)" }).waitFor();
  const rows = await page.getByRole("option").count();
  assert.ok(rows < 100, `only what is in sight exists: ${rows} rows`);
  await page.getByRole("region", { name: "Equal items" }).getByText("200 items ask for this very call").waitFor();
  await page.keyboard.press("=");
  await page.getByRole("region", { name: "Selected items" }).getByText("200 items selected").waitFor();
  // Until then its buttons are pale.
  await page.locator("[data-armed=true]").waitFor();
  await accessible(page, "a long queue");
  await picture(page, "queue-light");
  await done();
});
