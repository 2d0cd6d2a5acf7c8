import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

type Tokens = Record<string, [number, number, number]>;

/** The declarations of one block of tokens.css. */
function block(css: string, selector: string): string {
  const from = css.indexOf("{", css.indexOf(selector)) + 1;
  return css.slice(from, css.indexOf("}", from));
}

function tokensOf(text: string): Tokens {
  const found: Tokens = {};
  for (const [, name, l, c, h] of text.matchAll(
    /--([\w-]+):\s*oklch\(([\d.]+) ([\d.]+) ([\d.]+)\);/g,
  )) {
    if (name) found[name] = [Number(l), Number(c), Number(h)];
  }
  return found;
}

/** OKLCH to linear sRGB (Björn Ottosson's matrices), then WCAG's relative luminance. */
function luminance([l, c, h]: [number, number, number]): number {
  const a = c * Math.cos((h * Math.PI) / 180);
  const b = c * Math.sin((h * Math.PI) / 180);
  const long = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short;
  const green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short;
  const blue = -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short;
  const clip = (value: number) => Math.min(1, Math.max(0, value));
  return 0.2126 * clip(red) + 0.7152 * clip(green) + 0.0722 * clip(blue);
}

function contrast(one: [number, number, number], other: [number, number, number]): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const css = readFileSync("src/styles/tokens.css", "utf8");
const light = tokensOf(block(css, ":root {"));
const dark = { ...light, ...tokensOf(block(css, ':root:not([data-theme="light"])')) };
const forced = tokensOf(block(css, ':root[data-theme="dark"]'));

const SURFACES = ["surface", "surface-sunken", "surface-raised", "surface-hover", "selection"];
const TEXTS = ["text", "text-soft", "text-faint"];
const STATES = ["good", "busy", "warn", "bad", "calm"];

/** Text and what it may stand on. */
const TEXT_PAIRS: [string, string][] = [
  ...SURFACES.flatMap((under) => TEXTS.map((text): [string, string] => [text, under])),
  ...SURFACES.flatMap((under) => STATES.map((text): [string, string] => [text, under])),
  ...STATES.map((state): [string, string] => [state, `${state}-soft`]),
  ...["warn-soft", "bad-soft", "good-soft", "added", "removed", "surface-pressed"].map(
    (under): [string, string] => ["text", under],
  ),
  ["text-soft", "warn-soft"],
  ["text-soft", "bad-soft"],
  ["text-faint", "added"],
  ["text-faint", "removed"],
  ["accent-text", "surface"],
  ["accent-text", "surface-raised"],
  ["accent-text", "surface-sunken"],
  ["accent-text", "accent-soft"],
  ["on-accent", "accent"],
  ["on-accent", "accent-hover"],
];

/** Lines of controls, the focus ring, bars and chart colours against what is behind them. */
const SHAPE_PAIRS: [string, string][] = ["line-strong", "focus", "accent", "good", "bad", "warn"]
  .concat(["chart-1", "chart-2", "chart-3", "chart-4", "chart-5", "chart-6"])
  .map((shape) => [shape, "surface"]);

for (const [theme, tokens] of Object.entries({ light, dark })) {
  test(`${theme}: text has the contrast AA asks for`, () => {
    const weak = TEXT_PAIRS.flatMap(([text, under]) => {
      const ratio = contrast(tokens[text] ?? [0, 0, 0], tokens[under] ?? [0, 0, 0]);
      return ratio < 4.5 ? [`${text} on ${under}: ${ratio.toFixed(2)}`] : [];
    });
    expect(weak).toEqual([]);
  });

  test(`${theme}: shapes can be told from what is behind them`, () => {
    const weak = SHAPE_PAIRS.flatMap(([shape, under]) => {
      const ratio = contrast(tokens[shape] ?? [0, 0, 0], tokens[under] ?? [0, 0, 0]);
      return ratio < 3 ? [`${shape} on ${under}: ${ratio.toFixed(2)}`] : [];
    });
    expect(weak).toEqual([]);
  });
}

test("the forced dark appearance is the system's dark appearance", () => {
  expect(forced).toEqual(tokensOf(block(css, ':root:not([data-theme="light"])')));
  expect(Object.keys(forced).length).toBeGreaterThan(30);
});
