// The application's window, driven as WebKit's own driver allows: W3C WebDriver over HTTP.

import { spawn } from "node:child_process";
import { openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { until } from "./until.mjs";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** WebDriver's names of keys. */
export const KEY = { enter: "\uE006", escape: "\uE00C", tab: "\uE004", control: "\uE009", null: "\uE000" };

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

export class Window {
  static async open(binary, { args = [], env = process.env, log } = {}) {
    const window = new Window();
    const port = await freePort();
    window.address = `http://127.0.0.1:${port}`;
    // A file, not a pipe: an application that outlives the driver would hold the pipe open,
    // and the test runner waits for it.
    const out = openSync(log, "a");
    window.driver = spawn("WebKitWebDriver", [`--port=${port}`, "--host=127.0.0.1"], {
      env: { ...env, TAURI_WEBVIEW_AUTOMATION: "true" },
      stdio: ["ignore", out, out],
    });
    await until("the driver", async () => (await fetch(`${window.address}/status`)).ok);
    const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": { binary, args } } };
    const session = await window.ask("POST", "/session", { capabilities });
    window.session = session.sessionId;
    window.processes = below(window.driver.pid);
    return window;
  }

  async ask(method, path, body) {
    const answer = await fetch(this.address + path, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: { "content-type": "application/json" },
      signal: AbortSignal.timeout(30_000),
    });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  }

  do(method, path, body) {
    return this.ask(method, `/session/${this.session}${path}`, body);
  }

  /** Runs a function's text in the page with `args`; it may return a promise. */
  async run(body, ...args) {
    const script = `const done = arguments[arguments.length - 1];
      Promise.resolve((${body})(...Array.from(arguments).slice(0, -1)))
        .then((value) => done({ value }), (error) => done({ error: error?.message ?? JSON.stringify(error) }));`;
    const answer = await this.do("POST", "/execute/async", { script, args });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value ?? null;
  }

  /** Everything that can be read. */
  text() {
    return this.run("() => document.body.innerText");
  }

  reads(words, ms) {
    return until(`“${words}” in the window`, async () => (await this.text()).includes(words), ms);
  }

  /** The element with a role and a name, as assistive technology finds it; the first of several. */
  async byRole(role, name) {
    const found = await this.do("POST", "/execute/sync", {
      script: FIND_BY_ROLE,
      args: [role, name instanceof RegExp ? { source: name.source, flags: name.flags } : name],
    });
    if (!found) throw new Error(`no ${role} “${name}”`);
    return found[ELEMENT];
  }

  async click(role, name) {
    const element = await until(`${role} “${name}”`, () => this.byRole(role, name));
    await this.do("POST", `/element/${element}/click`, {});
  }

  async type(role, name, text) {
    const element = await until(`${role} “${name}”`, () => this.byRole(role, name));
    await this.do("POST", `/element/${element}/clear`, {});
    await this.do("POST", `/element/${element}/value`, { text });
  }

  /** Presses keys where the focus is; `held` stays down meanwhile. */
  async press(keys, held) {
    const strokes = [...keys].flatMap((value) => [
      { type: "keyDown", value },
      { type: "keyUp", value },
    ]);
    const actions = held
      ? [{ type: "keyDown", value: held }, ...strokes, { type: "keyUp", value: held }]
      : strokes;
    await this.do("POST", "/actions", { actions: [{ type: "key", id: "keyboard", actions }] });
  }

  go(route) {
    return this.run("(route) => { location.hash = route; }", route);
  }

  /** A picture. What can be read is not painted yet: two frames later it is. */
  async picture(file) {
    await this.run("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))");
    writeFileSync(file, Buffer.from(await this.do("GET", "/screenshot"), "base64"));
  }

  /** Whether the application still runs. */
  runs() {
    return this.processes.some((pid) => !isGone(pid));
  }

  /** Ends application and driver. The driver does not always end what it started. */
  async end() {
    await this.do("DELETE", "").catch(() => {});
    await until("the application to end", () => !this.runs(), 3_000).catch(() => {});
    for (const pid of this.processes.filter((pid) => !isGone(pid))) process.kill(pid, "SIGKILL");
    const ended = new Promise((resolve) => this.driver.once("exit", resolve));
    if (this.driver.exitCode === null) this.driver.kill();
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2_000).unref())]);
  }
}

const FIND_BY_ROLE = `
  const [role, wanted] = arguments;
  const fits = wanted && wanted.source !== undefined
    ? (name) => new RegExp(wanted.source, wanted.flags).test(name)
    : (name) => name === wanted;
  const TAGS = { button: "button", link: "a[href]", textbox: "input:not([type=checkbox]):not([type=radio]),textarea",
    heading: "h1,h2,h3,h4", navigation: "nav", main: "main", combobox: "select", checkbox: "input[type=checkbox]",
    radio: "input[type=radio]", listitem: "li", row: "tr" };
  const selector = [TAGS[role], '[role="' + role + '"]'].filter(Boolean).join(",");
  const seen = (e) => e.getClientRects().length > 0;
  const words = (id) => document.getElementById(id)?.innerText ?? "";
  const nameOf = (e) => {
    const by = e.getAttribute("aria-labelledby");
    if (by) return by.split(/\\s+/).map(words).join(" ").trim();
    return (e.getAttribute("aria-label")
      ?? (e.labels && e.labels.length > 0 ? e.labels[0].innerText : null)
      ?? (["INPUT", "TEXTAREA"].includes(e.tagName) ? e.placeholder : e.innerText)
      ?? "").trim().replace(/\\s+/g, " ");
  };
  const role_ = (e) => e.getAttribute("role") ?? role;
  return [...document.querySelectorAll(selector)]
    .find((e) => role_(e) === role && seen(e) && fits(nameOf(e))) ?? null;
`;

/** Whether a process has ended; one nobody has waited for yet has. */
export function isGone(pid) {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

/** The processes below one. */
function below(root) {
  const children = new Map();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // It ended while we looked.
    }
  }
  const found = [];
  const walk = (pid) => {
    for (const child of children.get(pid) ?? []) {
      // The daemon outlives the window: it is not the window's.
      if (isDaemon(child)) continue;
      found.push(child);
      walk(child);
    }
  };
  walk(root);
  return found;
}

function isDaemon(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes("daemon");
  } catch {
    return false;
  }
}
