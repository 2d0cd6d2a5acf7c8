import { define } from "../action";

export const settingsActions = define({
  "settings.add-backend": { title: "Add a backend…", group: "Settings", words: "key agent model" },
});
