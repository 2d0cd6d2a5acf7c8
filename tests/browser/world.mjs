// A home with its daemon listening for browsers, a scripted model behind real HTTP, and a
// project to work on. Everything in a folder of its own; everything started is ended by pid.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../window/until.mjs";

const BIN = process.env.LH_BIN ?? new URL("../../target/debug", import.meta.url).pathname;

/** Obviously no key. */
const KEY = "test-key-not-real-0002";

/** $2 and $10 a million tokens in the built-in price book. */
export const MODEL = "claude-sonnet-5-5";

const CONFIG = `slots = 6\nretry_ms = 40\nstagger_ms = 20\nprobe_ms = 150\nrelease_spacing_ms = 20\n`;

export class World {
  /** `seed`: arguments of the example `seed-home`, which fills the home before the daemon starts. */
  static async make({ scripts = {}, seed = null } = {}) {
    const world = new World();
    world.folder = mkdtempSync(join(tmpdir(), "lh-browser-"));
    world.home = join(world.folder, "home");
    world.runtime = join(world.folder, "run");
    world.project = join(world.folder, "calc");
    mkdirSync(world.home);
    mkdirSync(world.runtime, { mode: 0o700 });
    writeFileSync(join(world.home, "config.toml"), CONFIG);
    world.env = {
      PATH: process.env.PATH,
      HOME: world.folder,
      LONGHAUL_HOME: world.home,
      XDG_RUNTIME_DIR: world.runtime,
      LH_TEST_KEY: KEY,
    };
    world.makeProject();
    if (seed) {
      const said = execFileSync(join(BIN, "examples/seed-home"), [world.home, ...seed], { env: world.env, encoding: "utf8", timeout: 600_000 });
      world.longRun = /the long run is (\S+)/.exec(said)?.[1];
    }
    await world.startModel(scripts);
    await world.startDaemon();
    return world;
  }

  makeProject() {
    mkdirSync(this.project);
    writeFileSync(join(this.project, "README.md"), "A calculator.\n");
    writeFileSync(join(this.project, "add.py"), "def add(a, b):\n    return a - b\n");
    const git = (...args) => execFileSync("git", ["-C", this.project, ...args], { stdio: "ignore" });
    git("init", "-q", "-b", "main");
    git("add", ".");
    git("-c", "user.name=Test", "-c", "user.email=test@example.invalid", "commit", "-qm", "Begin");
  }

  async startModel(scripts) {
    const book = join(this.folder, "scripts.json");
    writeFileSync(book, JSON.stringify({ scripts }));
    const log = openSync(join(this.folder, "model.log"), "a");
    this.model = spawn(join(BIN, "scripted-model-server"), ["--script", book, "--key", KEY], {
      stdio: ["ignore", "pipe", log],
    });
    closeSync(log);
    const [line] = await once(this.model.stdout, "data");
    this.modelUrl = line.toString().trim();
  }

  async startDaemon(port = 0) {
    const file = join(this.folder, "daemon.log");
    const log = openSync(file, "w");
    const args = ["daemon", "run", "--listen", `127.0.0.1:${port}`];
    this.daemon = spawn(join(BIN, "longhaul"), args, { env: this.env, stdio: ["ignore", log, log] });
    closeSync(log);
    this.address = await until("the daemon's address for browsers", () => {
      if (this.daemon.exitCode !== null) throw new Error(readFileSync(file, "utf8"));
      return /http:\/\/\S+#token=\S+/.exec(readFileSync(file, "utf8"))?.[0];
    });
    this.origin = new URL(this.address).origin;
    this.token = new URL(this.address).hash.replace("#token=", "");
  }

  async killDaemon() {
    const gone = once(this.daemon, "exit");
    this.daemon.kill("SIGKILL");
    await gone;
  }

  /** The command line, which must succeed. */
  cli(...args) {
    return execFileSync(join(BIN, "longhaul"), args, { env: this.env, encoding: "utf8", timeout: 60_000 });
  }

  json(...args) {
    return JSON.parse(this.cli(...args, "--json"));
  }

  addBackend(name = "model") {
    this.cli("backend", "add", name, "--kind", "anthropic", "--base-url", this.modelUrl, "--model", MODEL, "--key-env", "LH_TEST_KEY");
  }

  /** Starts a run of a script from the command line. */
  start(script, words = "Do it", ...more) {
    // The title is the first line; which script answers need not stand in it.
    const prompt = `${words}\n\n[[script:${script}]]`;
    return this.json("run", "--project", this.project, "--backend", "model", ...more, "--detach", prompt).id;
  }

  show(run) {
    return this.json("show", run);
  }

  reaches(run, state, ms) {
    return until(`run ${run} ${state}`, () => this.show(run).state === state, ms);
  }

  async end() {
    if (this.daemon.exitCode === null && this.daemon.signalCode === null) {
      const gone = once(this.daemon, "exit");
      this.daemon.kill("SIGTERM");
      await gone;
    }
    this.model.kill();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Turns of the scripted model. */
export const say = (text, more = {}) => ({ blocks: [{ type: "text", text }], ...more });
export const tool = (name, input, more = {}) => ({ blocks: [{ type: "tool_use", name, input }], ...more });
