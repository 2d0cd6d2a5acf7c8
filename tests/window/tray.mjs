// The application's tray menu, used as a panel uses it: over D-Bus.

import { execFileSync } from "node:child_process";
import { until } from "./until.mjs";

const WATCHER = "org.kde.StatusNotifierWatcher";

/** Reads an icon's menu and clicks in it, in one process each; prints JSON. */
const PANEL = `
import dbus, json, sys
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
if len(sys.argv) > 1:
    menu.Event(int(sys.argv[1]), "clicked", dbus.Int32(0, variant_level=1), 0)
    print("true"); sys.exit()
def entry(node):
    number, facts, inside = node
    words = str(facts.get("label", "")).replace("__", "_")
    return {"number": int(number), "words": words, "enabled": bool(facts.get("enabled", True)), "inside": [entry(n) for n in inside]}
print(json.dumps({"icon": str(get(name, path, item, "IconName")), "entries": entry(menu.GetLayout(0, -1, [])[1])["inside"]}))
`;

function panel(...args) {
  return JSON.parse(execFileSync("/usr/bin/python3", ["-c", PANEL, ...args], { encoding: "utf8", timeout: 10_000 }));
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
export async function choose(pattern) {
  const entry = await until(`${pattern} in the tray`, () =>
    flat(tray()?.entries ?? []).find((entry) => entry.enabled && pattern.test(entry.words)),
  );
  panel(String(entry.number));
  return entry.words;
}
