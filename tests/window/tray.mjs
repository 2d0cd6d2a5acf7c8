// The application's tray menu, used as a panel uses it: over D-Bus.

import { execFileSync } from "node:child_process";
import { until } from "./until.mjs";

const WATCHER = "org.kde.StatusNotifierWatcher";

/** Reads an icon's menu, and clicks the entry that fits: in one process, so that the menu
 * does not change in between for longer than it must. Prints JSON. */
const PANEL = `
import dbus, json, re, sys
bus = dbus.SessionBus()
def get(name, path, interface, what):
    return dbus.Interface(bus.get_object(name, path), "org.freedesktop.DBus.Properties").Get(interface, what)
icons = get("${WATCHER}", "/StatusNotifierWatcher", "${WATCHER}", "RegisteredStatusNotifierItems")
living = [i for i in icons if bus.name_has_owner(i.split("/", 1)[0])]
if not living:
    print("null"); sys.exit()
name, path = living[-1].split("/", 1)
path = "/" + path
item = "org.kde.StatusNotifierItem"
menu = dbus.Interface(bus.get_object(name, get(name, path, item, "Menu")), "com.canonical.dbusmenu")
def entry(node):
    number, facts, inside = node
    words = str(facts.get("label", "")).replace("__", "_")
    return {"number": int(number), "words": words, "enabled": bool(facts.get("enabled", True)), "inside": [entry(n) for n in inside]}
def flat(entries):
    return [e for entry in entries for e in [entry, *flat(entry["inside"])]]
entries = entry(menu.GetLayout(0, -1, [])[1])["inside"]
if len(sys.argv) > 1:
    fits = [e for e in flat(entries) if e["enabled"] and re.search(sys.argv[1], e["words"])]
    if fits:
        menu.Event(fits[0]["number"], "clicked", dbus.Int32(0, variant_level=1), 0)
    print(json.dumps(fits[0]["words"] if fits else None)); sys.exit()
print(json.dumps({"icon": str(get(name, path, item, "IconName")), "entries": entries}))
`;

function panel(...args) {
  return JSON.parse(execFileSync("/usr/bin/python3", ["-c", PANEL, ...args], {
    encoding: "utf8",
    timeout: 10_000,
    stdio: ["ignore", "pipe", "pipe"],
  }));
}

/** Icon and entries; null while there is no icon. */
export function tray() {
  return panel();
}

const flat = (entries) => entries.flatMap((entry) => [entry, ...flat(entry.inside)]);

/** The words of all entries, those of submenus too. */
export function words() {
  return flat(tray()?.entries ?? [])
    .map((entry) => entry.words)
    .filter((words) => words !== "");
}

/** Waits for an entry whose words fit, and clicks it. */
export function choose(pattern) {
  return until(`${pattern} in the tray`, () => panel(pattern.source));
}
