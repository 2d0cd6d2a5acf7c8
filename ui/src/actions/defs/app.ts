import { define } from "../action";

export const appActions = define({
  "app.palette": {
    title: "Find anything…",
    group: "Everywhere",
    keys: ["mod+k"],
    whileTyping: true,
    quiet: true,
  },
  "app.help": { title: "Keyboard shortcuts", group: "Everywhere", keys: ["?"], words: "help keys" },
  "app.new-run": {
    title: "New run…",
    group: "Everywhere",
    keys: ["n"],
    words: "start task create",
  },
  "app.undo": {
    title: "Undo the last decision",
    group: "Everywhere",
    keys: ["u"],
    words: "revert take back",
  },
  "app.reconnect": { title: "Connect to the daemon again now", group: "Everywhere" },
  "app.pause-all": { title: "Pause all runs", group: "Everywhere", words: "stop hold" },
  "app.resume-all": {
    title: "Resume all runs",
    group: "Everywhere",
    words: "continue interrupted paused",
  },
  "daemon.stop": {
    title: "Stop everything…",
    group: "Everywhere",
    words: "daemon drain shut down end",
  },
  "window.quit": {
    title: "Quit the window (runs go on)",
    group: "Everywhere",
    words: "exit close",
  },
  "app.theme-light": { title: "Use the light appearance", group: "Everywhere", words: "theme" },
  "app.theme-dark": { title: "Use the dark appearance", group: "Everywhere", words: "theme" },
  "app.theme-system": {
    title: "Follow the system's appearance",
    group: "Everywhere",
    words: "theme light dark",
  },
  "app.rail": {
    title: "Fold or unfold the sidebar",
    group: "Everywhere",
    keys: ["mod+b"],
    words: "navigation rail",
  },
  "go.inbox": { title: "Inbox", group: "Go to", keys: ["g i"], words: "reviews decisions" },
  "go.runs": { title: "Runs", group: "Go to", keys: ["g r"], words: "list" },
  "go.costs": { title: "Costs", group: "Go to", keys: ["g c"], words: "money spend" },
  "go.health": { title: "Health", group: "Go to", keys: ["g h"], words: "daemon doctor" },
  "go.settings": {
    title: "Settings",
    group: "Go to",
    keys: ["g s"],
    words: "backends keys preferences",
  },
  "go.rules": { title: "Rules and trust", group: "Go to", words: "policy allow settings" },
  "go.webhook": { title: "Webhook", group: "Go to", words: "settings tell deliver" },
  "go.welcome": { title: "Welcome", group: "Go to", words: "first steps rehearsal" },
});
