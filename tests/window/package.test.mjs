// The package, as a person meets it: what is in it, that it starts from the menu, and
// that removing it leaves their data. With LH_APT=1 (CI, as root) it is really installed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as tray from "./tray.mjs";
import { until } from "./until.mjs";
import { BIN, World } from "./world.mjs";

const DEB = process.env.LH_DEB;
const INSTALL = process.env.LH_APT === "1";
const ROOT = INSTALL ? "/" : join(process.env.LH_DESKTOP, "installed");
const quiet = { stdio: "ignore", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };

const run = (program, ...args) => execFileSync(program, args, { encoding: "utf8" });

before(() => {
  assert.ok(DEB, "LH_DEB names the package: `cargo xtask window package` makes it");
  if (INSTALL) {
    execFileSync("apt-get", ["install", "-y", "--no-install-recommends", DEB], quiet);
  } else {
    mkdirSync(ROOT);
    run("dpkg", "-x", DEB, ROOT);
  }
});
after(() => {
  if (INSTALL && existsSync("/usr/bin/longhaul")) execFileSync("apt-get", ["remove", "-y", "longhaul"], quiet);
});

/** The menu entry's `key=value` lines, those of its first group. */
function menuEntry() {
  const text = readFileSync(join(ROOT, "usr/share/applications/Longhaul.desktop"), "utf8");
  const lines = text.split("\n[")[0].split("\n").filter((line) => line.includes("="));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

test("both programs are in it, and only one of them needs a webview", () => {
  for (const name of ["longhaul", "longhaul-desktop"]) {
    assert.ok(statSync(join(ROOT, "usr/bin", name)).mode & 0o111, name);
  }
  const libraries = (name) => run("ldd", join(ROOT, "usr/bin", name));
  assert.match(libraries("longhaul-desktop"), /webkit/);
  assert.doesNotMatch(libraries("longhaul"), /webkit|gtk|soup|javascriptcore/);
});

test("it says what it needs", () => {
  const depends = run("dpkg-deb", "--field", DEB, "Depends");
  for (const name of ["libwebkit2gtk-4.1-0", "libgtk-3-0", "libayatana-appindicator3-1", "git"]) {
    assert.ok(depends.split(/[,\s]+/).includes(name), `${name} in ${depends}`);
  }
  assert.equal(run("dpkg-deb", "--field", DEB, "Package").trim(), "longhaul");
});

test("the menu has an entry, with its icons and links", () => {
  const file = join(ROOT, "usr/share/applications/Longhaul.desktop");
  assert.equal(run("desktop-file-validate", file), "");
  const entry = menuEntry();
  assert.equal(entry.Name, "Longhaul");
  assert.equal(entry.MimeType, "x-scheme-handler/longhaul;");
  for (const size of ["32x32", "64x64", "128x128", "256x256@2", "512x512"]) {
    const icon = join(ROOT, "usr/share/icons/hicolor", size, "apps", `${entry.Icon}.png`);
    assert.ok(existsSync(icon), icon);
  }
});

test("the service is offered and well formed, and not enabled", () => {
  const unit = join(ROOT, "usr/lib/systemd/user/longhaul.service");
  assert.match(readFileSync(unit, "utf8"), /KillMode=process/);
  assert.ok(!existsSync(join(ROOT, "etc/systemd/user/default.target.wants/longhaul.service")));
  if (INSTALL) {
    const said = run("sh", "-c", `systemd-analyze --user verify ${unit} 2>&1 || true`);
    assert.equal(said.trim(), "");
  }
});

test("it starts from the menu, works, and leaves the data when it is removed", async () => {
  const world = await World.make({ scripts: { quick: { turns: [{ blocks: [{ type: "text", text: "Done." }] }] } } });
  try {
    const [program] = menuEntry().Exec.split(" ");
    world.bin = join(ROOT, "usr/bin");
    const window = await world.open({ binary: join(world.bin, program) });
    await until("the tray", () => tray.words().includes("All quiet"), 40_000);
    assert.equal(run("readlink", `/proc/${world.daemonPid()}/exe`).trim(), join(world.bin, "longhaul"));
    world.addBackend();
    const id = world.start("quick");
    await world.reaches(id, "completed");
    await window.end();
    world.cli("daemon", "stop");
    if (INSTALL) execFileSync("apt-get", ["remove", "-y", "longhaul"], quiet);
    else rmSync(ROOT, { recursive: true });
    assert.ok(!existsSync(join(ROOT, "usr/bin/longhaul")));
    assert.ok(existsSync(join(world.home, "state.db")), "the data are still there");
    // And are read by whatever version comes next.
    world.bin = BIN;
    assert.equal(world.show(id).state, "completed");
  } finally {
    await world.end();
  }
});
