import { expect, test } from "vitest";
import { csv } from "./csv";

test("quotes what would break a row", () => {
  expect(csv(["a", "b"], [['say "hi"', "x,y"]])).toBe('a,b\r\n"say ""hi""","x,y"\r\n');
});

test("a text is never a formula, a number stays one", () => {
  expect(csv(["a", "b"], [["=1+1", -2]])).toBe("a,b\r\n'=1+1,-2\r\n");
});
