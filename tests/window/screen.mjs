// The display as a person at it sees and uses it: windows and keys.

import { execFileSync } from "node:child_process";
import { until } from "./until.mjs";

const xdotool = (...args) => execFileSync("xdotool", args, { encoding: "utf8", timeout: 10_000 }).trim();

/** The visible windows with a title. */
export function windows(title) {
  try {
    const found = xdotool("search", "--onlyvisible", "--name", title);
    return found === "" ? [] : found.split("\n");
  } catch {
    return []; // It fails where it finds none.
  }
}

export const appears = (title) => until(`a window ${title}`, () => windows(title)[0]);
export const disappears = (title) => until(`no window ${title}`, () => windows(title).length === 0);

/** Presses keys in a window. */
export function press(window, ...keys) {
  xdotool("windowactivate", "--sync", window);
  xdotool("key", ...keys);
}

/** Clicks in a window, at shares of its width and height. */
export function click(window, across, down) {
  const facts = xdotool("getwindowgeometry", "--shell", window);
  const of = (name) => Number(new RegExp(`^${name}=(\\d+)$`, "m").exec(facts)[1]);
  const at = [Math.round(of("WIDTH") * across), Math.round(of("HEIGHT") * down)];
  xdotool("mousemove", "--window", window, ...at.map(String), "click", "1");
}

/** Closes a window as its close button does. */
export const close = (window) => press(window, "alt+F4");
