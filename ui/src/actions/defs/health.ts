import { define } from "../action";

export const healthActions = define({
  "health.doctor": { title: "Examine the store (doctor)", group: "Health", words: "check" },
  "health.backup": { title: "Make a backup now", group: "Health" },
});
