import { screen, waitFor } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { CallError } from "../ipc/errors";
import { renderRoom } from "../test/render";
import { setTheme } from "./appearance";
import { PlaceLink, useNavigator, useSearchText } from "./navigation";
import { toast, toastError } from "./toasts";

test("a toast offers its undo, and one about the same thing replaces the older", async () => {
  const undo = vi.fn();
  const { user } = renderRoom(<p>room</p>);
  toast({ tone: "good", title: "Snoozed one", about: "snooze" });
  toast({
    tone: "good",
    title: "Snoozed two",
    about: "snooze",
    action: { label: "Undo", run: undo },
  });
  await user.click(await screen.findByRole("button", { name: "Undo" }));
  expect(undo).toHaveBeenCalledOnce();
  expect(screen.queryByText("Snoozed one")).toBeNull();
  await waitFor(() => expect(screen.queryByText("Snoozed two")).toBeNull());
});

test("what failed says what, why and what now, and can be dismissed", async () => {
  const { user } = renderRoom(<p>room</p>);
  toastError(
    "The run could not be paused",
    new CallError({ code: "conflict", message: "It is over.", hint: "Start another." }),
  );
  expect(await screen.findByText("The run could not be paused")).toBeVisible();
  expect(screen.getByText("It is over. Start another.")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Dismiss" }));
  await waitFor(() => expect(screen.queryByText("It is over. Start another.")).toBeNull());
});

function Filter() {
  const [text, setText] = useSearchText("text");
  const { search } = useNavigator();
  return (
    <>
      <input aria-label="Find" value={text} onChange={(event) => setText(event.target.value)} />
      <output>{search.text ?? "nothing"}</output>
      <PlaceLink to={{ room: "run", run: "r1", tab: "changes" }}>Changes</PlaceLink>
    </>
  );
}

test("what is typed is there at once, and in the address when the typing pauses", async () => {
  const { user } = renderRoom(<Filter />, { at: "/runs?text=old" });
  const field = screen.getByRole("textbox", { name: "Find" });
  expect(field).toHaveValue("old");
  await user.clear(field);
  await user.type(field, "parser");
  expect(field).toHaveValue("parser");
  expect(screen.getByRole("status")).toHaveTextContent("old");
  await waitFor(() => expect(screen.getByRole("status")).toHaveTextContent("parser"));
  expect(screen.getByRole("link", { name: "Changes" })).toHaveAttribute(
    "href",
    "#/runs/r1/changes",
  );
});

test("a forced appearance is kept; following the system forces nothing", () => {
  setTheme("dark");
  expect(document.documentElement.dataset.theme).toBe("dark");
  expect(localStorage.getItem("longhaul.appearance")).toContain("dark");
  setTheme("system");
  expect(document.documentElement.dataset.theme).toBeUndefined();
});
