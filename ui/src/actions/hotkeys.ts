import { useEffect } from "react";
import { wordOf } from "../lib/keys";
import type { ActionDef } from "./action";
import { isArmed } from "./arming";
import { type ActionId, actionIds } from "./catalog";
import { actionState, definitionOf, runAction } from "./registry";

/** How long the second key of a sequence may take. */
const SEQUENCE_MS = 1200;

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  if (target instanceof HTMLInputElement) {
    return !["checkbox", "radio", "button", "submit", "range"].includes(target.type);
  }
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Menus, choices and dialogs have keys of their own; a room's list leaves the others to the room. */
function isElsewhere(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest(
      "[role=menu],[role=listbox]:not([data-keys]),[role=dialog],[role=alertdialog]",
    ) !== null
  );
}

/** Enter and space belong to a focused button or link. */
function isPressing(target: EventTarget | null, word: string): boolean {
  if (word !== "enter" && word !== "space") return false;
  return target instanceof HTMLElement && target.closest("a,button,summary,[role=tab]") !== null;
}

function candidates(word: string, typing: boolean): { id: ActionId; def: ActionDef }[] {
  return actionIds.flatMap((id) => {
    const def = definitionOf(id);
    if (typing && !def.whileTyping) return [];
    const fits = def.keys?.some((keys) => keys === word);
    return fits && actionState(id) ? [{ id, def }] : [];
  });
}

const startsSequence = (word: string): boolean =>
  actionIds.some((id) => definitionOf(id).keys?.some((k) => k.startsWith(`${word} `)));

function isOurs(event: KeyboardEvent, word: string): boolean {
  if (event.defaultPrevented || event.isComposing) return false;
  if (!word.startsWith("mod+") && isElsewhere(event.target)) return false;
  return !isPressing(event.target, word);
}

/** Does the first that can be done now. */
function act(found: readonly { id: ActionId; def: ActionDef }[], event: KeyboardEvent): void {
  for (const { id, def } of found) {
    // A key that is held repeats: it may move, but it must not decide.
    if (event.repeat && !def.quiet) continue;
    if (def.arms && !isArmed()) continue;
    if (runAction(id)) break;
  }
  event.preventDefault();
}

/** Remembers the first key of a sequence for a moment. */
function keyListener(): (event: KeyboardEvent) => void {
  let first: { word: string; at: number } | null = null;
  return (event) => {
    const word = wordOf(event);
    if (word === null || !isOurs(event, word)) return;
    const typing = isTyping(event.target);
    const begun = first && event.timeStamp - first.at < SEQUENCE_MS ? first.word : null;
    first = null;
    const sequence = begun ? candidates(`${begun} ${word}`, typing) : [];
    const found = sequence.length > 0 ? sequence : candidates(word, typing);
    if (found.length > 0) act(found, event);
    else if (!typing && !event.repeat && startsSequence(word)) {
      first = { word, at: event.timeStamp };
    }
  };
}

/** Listens for shortcuts. Mounted once, by the app. */
export function useHotkeys(): void {
  useEffect(() => {
    const onKeyDown = keyListener();
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}
