import { define } from "../action";

export const costActions = define({
  "costs.today": { title: "Costs of today", group: "Costs", keys: ["1"] },
  "costs.week": { title: "Costs of 7 days", group: "Costs", keys: ["2"] },
  "costs.month": { title: "Costs of 30 days", group: "Costs", keys: ["3"] },
  "costs.export": { title: "Export costs as CSV", group: "Costs", words: "download save" },
});
