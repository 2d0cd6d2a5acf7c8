import { render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { readRoomsAhead, room } from "./room";

test("a room that was read ahead is there in the first drawing, without a skeleton", async () => {
  const load = vi.fn(async () => () => <p>The room</p>);
  const Room = room<object>(load);
  await readRoomsAhead();
  const { container } = render(<Room />);
  // No await: waiting for anything here is what the user would see as a flicker.
  expect(container).toHaveTextContent("The room");
  expect(load).toHaveBeenCalledOnce();
});

test("one that was not is shown once it is read; one that failed is read again", async () => {
  const load = vi
    .fn<() => Promise<() => React.ReactNode>>()
    .mockRejectedValueOnce(new Error("cut off"))
    .mockResolvedValue(() => <p>The room</p>);
  const Room = room<object>(load);
  await readRoomsAhead();
  render(<Room />);
  expect(screen.queryByText("The room")).toBeNull();
  await screen.findByText("The room");
  expect(load).toHaveBeenCalledTimes(2);
});
