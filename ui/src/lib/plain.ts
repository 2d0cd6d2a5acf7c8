// Text from a model or a tool may try to look like something it is not.

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be removed
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
// Direction overrides, isolates and marks: they can make a command read as another one.
const BIDI = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g;
// Zero-width characters and other invisible ones that hide differences.
const INVISIBLE = /[\u200b-\u200d\u2060-\u2064\ufeff\u00ad\u180e]|[\u{e0000}-\u{e007f}]/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be shown
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;

const named = (character: string): string =>
  `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`;

/**
 * Text that shows what is in it: terminal colours are dropped, a carriage return alone is a line
 * break, and characters that are invisible or change the direction of reading are written out.
 */
export function plain(text: string): string {
  return text
    .replace(ANSI, "")
    .replace(/\r\n?/g, "\n")
    .replace(BIDI, named)
    .replace(INVISIBLE, named)
    .replace(CONTROL, named);
}

/** The same on one line, shortened to `length` characters. */
export function oneLine(text: string, length = 160): string {
  const line = plain(text).replace(/\s+/g, " ").trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

/** Whether `plain` would have to write something out: worth a warning beside a command. */
export function hasHidden(text: string): boolean {
  return [BIDI, INVISIBLE, CONTROL].some((what) => text.replace(ANSI, "").search(what) >= 0);
}

/** The same as the beginning of a sentence. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
