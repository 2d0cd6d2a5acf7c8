import { define } from "../action";

/** The choices of items that are neither approved nor rejected, in their order. */
const choice = (n: number) =>
  ({ title: `Choice ${n}`, group: "Inbox", keys: [`${n}`], arms: true }) as const;

export const inboxActions = define({
  "inbox.next": { title: "Next item", group: "Inbox", keys: ["j", "arrowdown"], quiet: true },
  "inbox.previous": { title: "Previous item", group: "Inbox", keys: ["k", "arrowup"], quiet: true },
  "inbox.open": { title: "Open the run", group: "Inbox", keys: ["enter"] },
  "inbox.approve": { title: "Approve", group: "Inbox", keys: ["a"], arms: true },
  "inbox.reject": { title: "Reject with a note", group: "Inbox", keys: ["r"], arms: true },
  "inbox.edit": {
    title: "Edit the arguments, then approve",
    group: "Inbox",
    keys: ["e"],
    arms: true,
  },
  "inbox.always": {
    title: "Always allow this here…",
    group: "Inbox",
    keys: ["shift+a"],
    arms: true,
    words: "rule policy approve",
  },
  "inbox.snooze": { title: "Snooze", group: "Inbox", keys: ["s"], words: "later not now" },
  "inbox.select": { title: "Select for bulk", group: "Inbox", keys: ["x"] },
  "inbox.select-all": { title: "Select all items", group: "Inbox", keys: ["mod+a"] },
  "inbox.select-equals": {
    title: "Select all that ask for the same call",
    group: "Inbox",
    keys: ["="],
    words: "group equal same rule",
  },
  "inbox.clear": { title: "Clear the selection", group: "Inbox", keys: ["escape"], quiet: true },
  "inbox.history": { title: "History of decisions", group: "Inbox", keys: ["h"] },
  "inbox.group": {
    title: "Group by run, kind, rule or what is equal",
    group: "Inbox",
    words: "sort order",
  },
  "inbox.choice-1": choice(1),
  "inbox.choice-2": choice(2),
  "inbox.choice-3": choice(3),
  "inbox.choice-4": choice(4),
  "inbox.choice-5": choice(5),
});
