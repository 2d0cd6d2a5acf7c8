import { define } from "../action";

export const newActions = define({
  "new.start": { title: "Start the run", group: "New run", keys: ["mod+enter"], whileTyping: true },
});
