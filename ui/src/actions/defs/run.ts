import { define } from "../action";

export const runActions = define({
  "run.timeline": { title: "Timeline", group: "Run", keys: ["1"] },
  "run.changes": { title: "Changes", group: "Run", keys: ["2"], words: "diff files" },
  "run.trace": { title: "Trace", group: "Run", keys: ["3"], words: "waterfall" },
  "run.cost": { title: "Cost of this run", group: "Run", keys: ["4"] },
  "run.details": { title: "Details", group: "Run", keys: ["5"], words: "journal export ids" },
  "run.resume": { title: "Resume this run", group: "Run", keys: ["shift+r"], arms: true },
  "run.pause": { title: "Pause this run", group: "Run", keys: ["p"], arms: true },
  "run.cancel": { title: "Cancel this run…", group: "Run" },
  "run.message": { title: "Send the agent a message", group: "Run", keys: ["m"] },
  "run.apply": { title: "Apply all changes as a branch", group: "Run" },
  "run.discard": { title: "Discard the workspace…", group: "Run" },
  "run.end": { title: "Jump to the newest", group: "Run", keys: ["shift+g"] },
  "run.start": { title: "Jump to the start", group: "Run", keys: ["g g"] },
  "run.inbox": { title: "Open this run's review", group: "Run", keys: ["i"] },
  "run.copy-id": { title: "Copy the run's id", group: "Run" },
  "run.open-folder": { title: "Open the workspace's folder", group: "Run" },
});
