import { appActions } from "./defs/app";
import { costActions } from "./defs/costs";
import { healthActions } from "./defs/health";
import { inboxActions } from "./defs/inbox";
import { newActions } from "./defs/new";
import { runActions } from "./defs/run";
import { runsActions } from "./defs/runs";
import { settingsActions } from "./defs/settings";

/** Everything a person can do, once: palette, help sheet, shortcuts, menus and tray read this. */
export const catalog = {
  ...appActions,
  ...inboxActions,
  ...runsActions,
  ...runActions,
  ...newActions,
  ...costActions,
  ...healthActions,
  ...settingsActions,
};

export type ActionId = keyof typeof catalog;

export const actionIds = Object.keys(catalog) as ActionId[];
