import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { CallError } from "../../ipc/errors";
import { ahead, aWebhook } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { Webhook } from "./Webhook";

const SECRET = "test-secret-not-real";

test("it is set up by keyboard alone, and neither address nor secret is shown again", async () => {
  const { user, daemon, container } = renderRoom(<Webhook />, {
    script: { webhook: { webhook: null }, webhook_set: { webhook: aWebhook() } },
  });
  expect(await screen.findByText("Nobody is told")).toBeVisible();
  expect(screen.getByRole("button", { name: "Set up" })).toBeDisabled();
  await expectAccessible(container);

  screen.getByRole("textbox", { name: "Address" }).focus();
  await user.keyboard("https://hooks.example.com/t0ken");
  await user.tab();
  expect(screen.getByRole("switch", { name: /Reviews/ })).toHaveFocus();
  await user.tab();
  // Runs that end are not to be told of.
  await user.keyboard(" ");
  const secret = screen.getByLabelText("Secret");
  expect(secret).toHaveAttribute("type", "password");
  await user.tab();
  await user.tab();
  expect(secret).toHaveFocus();
  daemon.answer("webhook", { webhook: aWebhook({ events: ["reviews"] }) });
  await user.keyboard(`${SECRET}{Enter}`);

  await waitFor(() =>
    expect(daemon.requests("webhook_set")).toEqual([
      {
        url: "https://hooks.example.com/t0ken",
        events: ["reviews"],
        key: { from: "keychain", key: SECRET },
      },
    ]),
  );
  expect(await screen.findByText("hooks.example.com")).toBeVisible();
  expect(screen.getByText("a secret in the system's keychain")).toBeVisible();
  expect(document.body.innerHTML).not.toContain(SECRET);
  expect(document.body.innerHTML).not.toContain("t0ken");
  await expectAccessible(container);
});

test("what is missing is said beside the button; what is refused, in the daemon's words", async () => {
  const { user } = renderRoom(<Webhook />, {
    script: {
      webhook: { webhook: null },
      webhook_set: () => {
        throw new CallError({
          code: "usage",
          message: "http goes to this machine only",
          hint: "give an https address, or http on this machine",
        });
      },
    },
  });
  const address = await screen.findByRole("textbox", { name: "Address" });
  expect(screen.getByText("Its address is missing")).toBeInTheDocument();
  await user.type(address, "http://hooks.example.com");
  expect(screen.getByText("A secret that signs what is sent is missing")).toBeInTheDocument();
  await user.type(screen.getByLabelText("Secret"), SECRET);
  await user.click(screen.getByRole("button", { name: "Set up" }));
  expect(await screen.findByText("http goes to this machine only")).toBeVisible();
  // Nothing that was typed is lost.
  expect(address).toHaveValue("http://hooks.example.com");
});

test("trouble is said with its next try; a test says what came of it", async () => {
  const down = aWebhook({
    ok: false,
    waiting: 3,
    words: "3 wait to be delivered; the last try failed: it cannot be reached",
    next_at: ahead(90),
    delivered_at: null,
  });
  const { user, daemon, container } = renderRoom(<Webhook />, {
    script: {
      webhook: { webhook: down },
      webhook_test: { ok: false, words: "it answered 500", delivery: "4f.test.1" },
    },
  });
  expect(await screen.findByText(/the last try failed: it cannot be reached\./)).toBeVisible();
  expect(screen.getByText(/3 deliveries/)).toHaveTextContent(/next try in 1 min/);
  expect(screen.getByText("never")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Send a test" }));
  expect(await screen.findByText("It answered 500.")).toBeVisible();
  await expectAccessible(container);
  daemon.answer("webhook_test", { ok: true, words: "it was taken", delivery: "4f.test.2" });
  await user.click(screen.getByRole("button", { name: "Send a test" }));
  expect(await screen.findByText("The test was taken")).toBeVisible();
});

test("it is changed without giving the secret again", async () => {
  const { user, daemon } = renderRoom(<Webhook />, {
    script: { webhook: { webhook: aWebhook() }, webhook_set: { webhook: aWebhook() } },
  });
  await user.click(await screen.findByRole("button", { name: "Change…" }));
  const form = await screen.findByRole("dialog", { name: "Change the webhook" });
  await user.type(within(form).getByRole("textbox", { name: "Address" }), "https://b.example/");
  await user.click(within(form).getByRole("button", { name: "Change" }));
  await waitFor(() =>
    expect(daemon.requests("webhook_set")).toEqual([
      { url: "https://b.example/", events: ["reviews", "runs"], key: null },
    ]),
  );
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

test("removing it asks first, and says what is never sent", async () => {
  const { user, daemon } = renderRoom(<Webhook />, {
    script: { webhook: { webhook: aWebhook({ waiting: 2 }) }, webhook_remove: { webhook: null } },
  });
  await user.click(await screen.findByRole("button", { name: "Remove…" }));
  const asked = await screen.findByRole("alertdialog", { name: /Tell hooks\.example\.com/ });
  expect(asked).toHaveTextContent("2 deliveries that still wait are never sent");
  expect(daemon.requests("webhook_remove")).toEqual([]);
  daemon.answer("webhook", { webhook: null });
  await user.click(within(asked).getByRole("button", { name: "Remove" }));
  expect(await screen.findByText("Nobody is told")).toBeVisible();
});

test("without a daemon it stays readable, and says why nothing can be done", async () => {
  const { daemon } = renderRoom(<Webhook />, { script: { webhook: { webhook: aWebhook() } } });
  expect(await screen.findByText("hooks.example.com")).toBeVisible();
  daemon.setReachable(false);
  daemon.cut();
  await waitFor(() => expect(screen.getByRole("button", { name: "Send a test" })).toBeDisabled());
  expect(screen.getAllByText("Not connected to the daemon").length).toBeGreaterThan(0);
  expect(screen.getByText("hooks.example.com")).toBeVisible();
});

test("what could not be read can be tried again", async () => {
  const { user, daemon } = renderRoom(<Webhook />, {
    script: {
      webhook: () => {
        throw new CallError({ code: "internal", message: "The store is locked", hint: "" });
      },
    },
  });
  expect(await screen.findByText("The store is locked")).toBeVisible();
  daemon.answer("webhook", { webhook: aWebhook() });
  await user.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("hooks.example.com")).toBeVisible();
});
