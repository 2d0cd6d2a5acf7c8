// What an agent writes may try to be more than text.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, launch, open, picture } from "./browser.mjs";
import { say, World } from "./world.mjs";

const TEXT = [
  "# A report",
  "<script>window.__hostile = 1</script><img src=x onerror=\"window.__hostile = 2\">",
  "<iframe src='https://example.invalid/'></iframe>",
  "![tracker](https://example.invalid/pixel.png)",
  "[click me](javascript:window.__hostile=3) and [a page](https://example.invalid/page)",
  "\u001b[31mred\u001b[0m and \u202egnp.exe\u202c and zero\u200bwidth",
].join("\n\n");

let browser;
let world;
before(async () => {
  browser = await launch();
  world = await World.make({ scripts: { hostile: { turns: [say(TEXT)] } } });
  world.addBackend();
});
after(async () => {
  await browser.close();
  await world.end();
});

test("markup, scripts, remote images and hidden characters are inert and legible", async () => {
  const run = world.start("hostile", "Report <b>now</b>");
  await world.reaches(run, "completed", 60_000);
  const { page, context, done } = await open(browser, world, { path: `/runs/${run}/timeline` });
  const opened = [];
  context.on("page", (other) => opened.push(other.url()));
  page.on("dialog", (dialog) => dialog.dismiss());
  await page.getByText("A report").first().waitFor();
  await page.getByText(/⟨U\+202E⟩/).first().waitFor();
  const body = await page.locator("body").innerText();
  assert.match(body, /<b>now<\/b>/, "the prompt is shown as it was written");
  assert.ok(!body.includes("\u202e") && !body.includes("\u001b"), "nothing turns the direction of reading");
  assert.equal(await page.evaluate(() => window.__hostile), undefined);
  assert.equal(await page.locator("main iframe, main img[src^='http'], main script").count(), 0);
  assert.equal(await page.locator("a[href^='javascript:']").count(), 0);
  const link = page.getByText("a page", { exact: true }).first();
  if (await link.isVisible()) {
    await link.click();
    await page.getByText("https://example.invalid/page").first().waitFor();
    assert.deepEqual(opened, [], "nothing opens before it was shown where to");
    await page.keyboard.press("Escape");
  }
  await accessible(page, "hostile output");
  await picture(page, "hostile");
  await done();
});
