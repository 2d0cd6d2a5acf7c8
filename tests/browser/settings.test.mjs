// Settings that only a real daemon can show: a webhook that is told, signed, and a project's rules
// that count from the moment they are trusted. By keyboard where hands would use one.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { until } from "../window/until.mjs";
import { accessible, fits, go, launch, open, picture } from "./browser.mjs";
import { say, World } from "./world.mjs";

/** What the daemon's variable LH_TEST_KEY holds: obviously no secret. */
const SECRET = "test-key-not-real-0002";

/** A program that is told: what came, and what it answers. */
async function listener() {
  const got = [];
  let status = 200;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => {
      body += part;
    });
    request.on("end", () => {
      got.push({ headers: request.headers, body });
      response.writeHead(status).end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    got,
    url: `http://127.0.0.1:${server.address().port}/told`,
    answer: (now) => {
      status = now;
    },
    close: () => server.close(),
  };
}

const isSigned = ({ headers, body }) => {
  const signed = createHmac("sha256", SECRET).update(`${headers["longhaul-timestamp"]}.${body}`).digest("hex");
  return headers["longhaul-signature"] === `v1=${signed}`;
};

let browser;
let world;
before(async () => {
  browser = await launch();
  world = await World.make({ scripts: { fix: { turns: [say("Done.")] } } });
  world.addBackend();
  await world.reaches(world.start("fix", "Fix it"), "completed", 60_000);
});
after(async () => {
  await world.end();
  await browser.close();
});

describe("the webhook", () => {
  test("is set up by keyboard, tested, in trouble, and removed", async () => {
    const program = await listener();
    const { page, done } = await open(browser, world, { path: "/settings/webhook" });
    await page.getByText("Nobody is told").waitFor();
    await accessible(page, "the webhook, none");
    await page.getByRole("textbox", { name: "Address" }).focus();
    await page.keyboard.type(program.url);
    for (let i = 0; i < 3; i++) await page.keyboard.press("Tab");
    // Where the secret comes from: the third of its choices.
    await page.keyboard.press("Enter");
    await page.getByRole("option", { name: /variable of the daemon/ }).waitFor();
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "Variable" }).focus();
    await page.keyboard.type("LH_TEST_KEY");
    await page.keyboard.press("Enter");
    await page.getByText("a secret from the daemon's variable LH_TEST_KEY").waitFor();

    await page.getByRole("button", { name: "Send a test" }).press("Enter");
    await page.getByText("The test was taken").waitFor();
    assert.equal(program.got.length, 1);
    assert.ok(isSigned(program.got[0]), "signed with the secret");
    assert.equal(JSON.parse(program.got[0].body).event, "test");
    await accessible(page, "the webhook, tested");

    program.answer(500);
    await world.reaches(world.start("fix", "Fix it again"), "completed", 60_000);
    await page.getByText("Trouble").waitFor({ timeout: 30_000 });
    await page.getByText(/next try/).waitFor();
    await picture(page, "webhook-trouble");
    await accessible(page, "the webhook, in trouble");
    assert.ok(!(await page.content()).includes("/told"), "its address is not shown again");

    await page.getByRole("button", { name: "Remove…" }).press("Enter");
    await page.getByRole("alertdialog").getByRole("button", { name: "Remove" }).press("Enter");
    await page.getByText("Nobody is told").waitFor();
    assert.equal(world.json("webhook", "show").webhook, null);
    program.close();
    await done();
  });
});

describe("the rules", () => {
  const path = () => `/settings/rules?project=${encodeURIComponent(world.project)}`;
  const rules = (outcome) => `[[rule]]\nid = "fetching"\nname = "fetching is fine"\noutcome = "${outcome}"\ncommands = ["git fetch"]\n`;
  const ownState = () => world.json("policy", "show", "--project", world.project).layers.find((l) => l.source === "project").state;

  before(() => {
    mkdirSync(join(world.project, ".longhaul"));
    writeFileSync(join(world.project, ".longhaul/policy.toml"), rules("allow"));
  });

  for (const dark of [false, true]) {
    const look = dark ? "dark" : "light";
    test(`every layer is legible, ${look}, and at 200 %`, async () => {
      const { page, done } = await open(browser, world, { path: path(), dark });
      await page.getByText("1 rule that would let calls run without asking does not count.").waitFor();
      await accessible(page, `the rules, ${look}`);
      await picture(page, `rules-${look}`);
      await page.evaluate(() => {
        document.documentElement.style.fontSize = "200%";
      });
      await fits(page, "the rules");
      await done();
    });
  }

  test("a project's are trusted as they are now, and not as they become", async () => {
    const { page, done } = await open(browser, world, { path: path() });
    await page.getByRole("button", { name: /rust them/ }).press("Enter");
    const asked = page.getByRole("alertdialog", { name: "Trust this project's rules?" });
    await asked.waitFor();
    await accessible(page, "asking for trust");
    await asked.getByRole("button", { name: /rust (it|this text)$/ }).press("Enter");
    await page.getByRole("heading", { name: /The project's rules\s*Trusted/ }).waitFor();
    assert.equal(ownState(), "read");

    writeFileSync(join(world.project, ".longhaul/policy.toml"), `${rules("allow")}# more\n`);
    assert.equal(ownState(), "only_tightens");
    await go(page, "/settings/about");
    await page.reload();
    await go(page, path());
    await page.getByRole("heading", { name: /The project's rules\s*Not trusted/ }).waitFor();
    await done();
  });

  test("one's own is removed, and what would be decided then is said", async () => {
    const file = join(world.home, "policy.toml");
    const own = `[[rule]]\nid = "mine"\nname = "pushing is fine"\noutcome = "allow"\ncommands = ["git push"]\nprojects = ["${world.project}"]\n`;
    writeFileSync(file, own);
    const { page, done } = await open(browser, world, { path: path() });
    const command = page.getByRole("textbox", { name: "A shell command" });
    await command.fill("git push origin main");
    await command.press("Enter");
    await page.getByRole("list", { name: "Its parts" }).getByText("Allowed", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Remove the rule “pushing is fine”" }).press("Enter");
    await page.getByRole("alertdialog").getByRole("button", { name: "Remove" }).press("Enter");
    // The same question is answered anew by itself.
    await page.getByRole("list", { name: "Its parts" }).getByText("Reviewed", { exact: true }).waitFor();
    await until("the rule is gone", () => !world.cli("policy", "show", "--project", world.project).includes("pushing is fine"));
    await done();
  });
});
