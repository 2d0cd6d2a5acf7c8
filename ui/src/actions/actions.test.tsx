import { act, fireEvent, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { renderRoom } from "../test/render";
import type { ActionDef } from "./action";
import { ARMING_MS, useArming } from "./arming";
import { type ActionId, actionIds, catalog } from "./catalog";
import { offeredActions, runAction, useAction } from "./registry";

let now = 0;
beforeEach(() => {
  now = 10_000;
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

function Room({ did }: { did: (what: string) => void }) {
  const [item, setItem] = useState("first");
  useArming(item);
  useAction("inbox.approve", () => did(`approve ${item}`));
  useAction("inbox.next", () => {
    did("next");
    setItem((i) => `${i}+`);
  });
  useAction("inbox.snooze", { run: () => did("snooze"), enabled: "Nothing is selected" });
  useAction("go.runs", () => did("go to runs"));
  useAction("new.start", () => did("start"));
  return (
    <>
      <input aria-label="Note" />
      <button type="button">A button</button>
    </>
  );
}

test("a new item cannot be hit by a key for half a second, and never by a held one", async () => {
  const did = vi.fn();
  const { user } = renderRoom(<Room did={did} />);
  await user.keyboard("a");
  expect(did).not.toHaveBeenCalled();
  now += ARMING_MS;
  fireEvent.keyDown(window, { key: "a", repeat: true });
  expect(did).not.toHaveBeenCalled();
  await user.keyboard("a");
  expect(did).toHaveBeenLastCalledWith("approve first");
  await user.keyboard("j");
  await user.keyboard("a");
  expect(did).toHaveBeenLastCalledWith("next");
  now += ARMING_MS;
  await user.keyboard("a");
  expect(did).toHaveBeenLastCalledWith("approve first+");
});

test("moving repeats while a key is held", () => {
  const did = vi.fn();
  renderRoom(<Room did={did} />);
  for (let i = 0; i < 3; i++) fireEvent.keyDown(window, { key: "j", repeat: i > 0 });
  expect(did.mock.calls).toEqual([["next"], ["next"], ["next"]]);
});

test("sequences need their keys in time; what is typed is text", async () => {
  const did = vi.fn();
  const { user } = renderRoom(<Room did={did} />);
  await user.keyboard("gr");
  expect(did).toHaveBeenLastCalledWith("go to runs");
  did.mockClear();
  await user.click(screen.getByRole("textbox", { name: "Note" }));
  await user.keyboard("gr j a");
  expect(did).not.toHaveBeenCalled();
  await user.keyboard("{Control>}{Enter}{/Control}");
  expect(did).toHaveBeenLastCalledWith("start");
});

test("what cannot be done now does nothing, and the palette knows why", async () => {
  const did = vi.fn();
  const { user } = renderRoom(<Room did={did} />);
  await user.keyboard("s");
  expect(did).not.toHaveBeenCalled();
  expect(offeredActions().find(({ id }) => id === "inbox.snooze")?.enabled).toBe(
    "Nothing is selected",
  );
  expect(offeredActions().some(({ id }) => id === "inbox.next")).toBe(false);
});

function Dialog({ did }: { did: (what: string) => void }) {
  useAction("inbox.approve", () => did("approve in the dialog"));
  return null;
}

test("who bound an action last has it, and gives it back", () => {
  const did = vi.fn();
  const both = (open: boolean) => (
    <>
      <Room did={did} />
      {open && <Dialog did={did} />}
    </>
  );
  const { rerender } = renderRoom(both(true));
  act(() => void runAction("inbox.approve"));
  rerender(both(false));
  act(() => void runAction("inbox.approve"));
  expect(did.mock.calls).toEqual([["approve in the dialog"], ["approve first"]]);
});

test("no two actions of a room share a key, and none hides one that works everywhere", () => {
  const clashes: string[] = [];
  const everywhere = ["Everywhere", "Go to"];
  const all = actionIds.map((id): [ActionId, ActionDef] => [id, catalog[id]]);
  for (const [i, [id, def]] of all.entries()) {
    for (const [other, otherDef] of all.slice(i + 1)) {
      const meet =
        def.group === otherDef.group ||
        everywhere.includes(def.group) ||
        everywhere.includes(otherDef.group);
      const shared = def.keys?.filter((key) => otherDef.keys?.includes(key)) ?? [];
      if (meet && shared.length > 0) clashes.push(`${id} and ${other}: ${shared}`);
    }
  }
  expect(clashes).toEqual([]);
});
