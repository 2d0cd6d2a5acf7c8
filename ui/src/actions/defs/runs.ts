import { define } from "../action";

export const runsActions = define({
  "runs.next": { title: "Next run", group: "Runs", keys: ["j", "arrowdown"], quiet: true },
  "runs.previous": { title: "Previous run", group: "Runs", keys: ["k", "arrowup"], quiet: true },
  "runs.open": { title: "Open the run", group: "Runs", keys: ["enter"], quiet: true },
  "runs.filter": { title: "Filter or search", group: "Runs", keys: ["/"], words: "find text" },
  "runs.resume": { title: "Resume the selected runs", group: "Runs", keys: ["shift+r"] },
  "runs.pause": { title: "Pause the selected runs", group: "Runs", keys: ["p"] },
  "runs.cancel": { title: "Cancel the selected runs…", group: "Runs" },
  "runs.select": { title: "Select for bulk", group: "Runs", keys: ["x"] },
  "runs.select-all": { title: "Select all runs", group: "Runs", keys: ["mod+a"] },
  "runs.clear": { title: "Clear the selection", group: "Runs", keys: ["escape"], quiet: true },
});
