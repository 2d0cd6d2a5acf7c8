// A home with its daemon, a scripted model behind real HTTP, and a project to work on.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { until } from "./until.mjs";
import { isGone, Window } from "./window.mjs";

export const BIN = process.env.LH_BIN ?? new URL("../../target/debug", import.meta.url).pathname;
const TESTKIT = process.env.LH_TESTKIT ?? BIN;
const DESKTOP = process.env.LH_DESKTOP;

/** Obviously no key. */
export const KEY = "test-key-not-real-0001";

/** $2 and $10 a million tokens in the built-in price book. */
export const MODEL = "claude-sonnet-5-5";

/** After a crash runs wait to be resumed, so that there is something to resume. */
const CONFIG = `on_restart = "ask"\nslots = 4\nretry_ms = 40\nstagger_ms = 20\nprobe_ms = 150\nrelease_spacing_ms = 50\n`;

let worlds = 0;

export class World {
  /** Where the binaries are. */
  bin = BIN;
  /** What was opened under a driver, and what was started without. */
  windows = [];
  started = [];

  static async make({ scripts, config = CONFIG, key = KEY } = {}) {
    const world = new World();
    worlds += 1;
    world.folder = join(DESKTOP, `world${worlds}`);
    world.home = join(world.folder, "home");
    world.project = join(world.folder, "calc");
    mkdirSync(world.home, { recursive: true });
    writeFileSync(join(world.home, "config.toml"), config);
    // What the application has opened elsewhere is written down, and opened nowhere.
    const bin = join(world.folder, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "xdg-open"), `#!/bin/sh\nprintf '%s\\n' "$@" >> '${world.folder}/opened'\n`, { mode: 0o755 });
    world.env = { ...process.env, LONGHAUL_HOME: world.home, PATH: `${bin}:${process.env.PATH}` };
    world.makeProject();
    await world.startModel(scripts, key);
    return world;
  }

  makeProject() {
    mkdirSync(this.project);
    writeFileSync(join(this.project, "README.md"), "A calculator.\n");
    const git = (...args) => execFileSync("git", ["-C", this.project, ...args], { stdio: "ignore" });
    git("init", "-q", "-b", "main");
    git("add", ".");
    git("-c", "user.name=Test", "-c", "user.email=test@example.invalid", "commit", "-qm", "Begin");
  }

  async startModel(scripts, key) {
    const book = join(this.folder, "scripts.json");
    writeFileSync(book, JSON.stringify({ scripts }));
    this.model = spawn(join(TESTKIT, "scripted-model-server"), ["--script", book, "--key", key], {
      stdio: ["ignore", "pipe", openSync(join(this.folder, "model.log"), "a")],
    });
    const [line] = await once(this.model.stdout, "data");
    this.url = line.toString().trim();
  }

  /** Opens the application on this home. */
  async open(options = {}) {
    const log = join(this.folder, "window.log");
    const binary = options.binary ?? this.desktop();
    const window = await Window.open(binary, { env: this.env, log, args: options.args });
    this.windows.push(window);
    return window;
  }

  longhaul() {
    return join(this.bin, "longhaul");
  }

  desktop() {
    return join(this.bin, "longhaul-desktop");
  }

  /** The command line, which must succeed. */
  cli(...args) {
    return execFileSync(this.longhaul(), args, { env: this.env, encoding: "utf8", timeout: 60_000 });
  }

  json(...args) {
    return JSON.parse(this.cli(...args, "--json"));
  }

  addBackend(key = KEY) {
    const add = ["backend", "add", "model", "--kind", "anthropic", "--base-url", this.url, "--model", MODEL, "--key-stdin"];
    execFileSync(this.longhaul(), add, { env: this.env, input: key, timeout: 60_000 });
  }

  /** Starts a run of a script from the command line. */
  start(script, words = "Do it") {
    const prompt = `${words} [[script:${script}]]`;
    return this.json("run", "--project", this.project, "--backend", "model", "--detach", prompt).id;
  }

  /** What was opened with the desktop's own programs, oldest first. */
  opened() {
    const list = join(this.folder, "opened");
    return existsSync(list) ? readFileSync(list, "utf8").trim().split("\n") : [];
  }

  show(run) {
    return this.json("show", run);
  }

  reaches(run, state, ms) {
    return until(`run ${run} ${state}`, () => this.show(run).state === state, ms);
  }

  daemonPid() {
    return Number(readFileSync(join(this.home, "daemon.pid"), "utf8"));
  }

  async killDaemon() {
    const pid = this.daemonPid();
    process.kill(pid, "SIGKILL");
    await until("the daemon to be gone", () => isGone(pid));
    return pid;
  }

  async end() {
    for (const window of this.windows) await window.end();
    for (const app of this.started) if (app.exitCode === null) app.kill("SIGKILL");
    try {
      this.cli("daemon", "stop");
    } catch {
      // There is none.
    }
    this.model.kill();
  }
}

/** A turn of the scripted model. */
export const say = (text, more = {}) => ({ blocks: [{ type: "text", text }], ...more });
export const shell = (command, more = {}) => ({
  blocks: [{ type: "tool_use", name: "shell", input: { command } }],
  ...more,
});
