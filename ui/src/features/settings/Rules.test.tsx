import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { CallError } from "../../ipc/errors";
import type { Script } from "../../ipc/transport/fake";
import { ago, aPolicy } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { Rules } from "./Rules";

const PROJECT = "/home/ada/parser";

const rules = (script: Script = {}, at = `/settings/rules?project=${PROJECT}`) =>
  renderRoom(<Rules />, {
    at,
    script: {
      policy: aPolicy(),
      projects: {
        projects: [{ path: PROJECT, runs: 5, last_used_at: ago(60), cost_usd: "2.1" }],
      },
      ...script,
    },
  });

/** The layer under this heading. */
const layer = async (name: RegExp): Promise<HTMLElement> => {
  const heading = await screen.findByRole("heading", { name });
  const item = heading.closest("li");
  if (!item) throw new Error(`${name} stands in no list`);
  return item;
};

test("every layer with its file and its rules, the deciding one first", async () => {
  const { daemon, container } = rules();
  const here = await layer(/^Your rules for this project/);
  const headings = screen.getAllByRole("heading", { level: 3 }).map((h) => h.textContent);
  expect(headings.slice(0, 5)).toEqual([
    "Your rules for this projectIn force",
    "The project's rulesNot trusted",
    "Your rulesIn force",
    "The preset balancedBuilt in",
    "What no preset allowsBuilt in",
  ]);
  expect(here).toHaveTextContent("git push origin topic");
  expect(await layer(/^The project's/)).toHaveTextContent(
    /\/home\/ada\/parser\/\.longhaul\/policy\.toml/,
  );
  expect(daemon.requests("policy")).toEqual([{ project: PROJECT }]);
  await expectAccessible(container);
});

test("a project's rules are trusted as the very text one has read", async () => {
  const { user, daemon, container } = rules({
    policy_trust: () => aPolicy({ project: { state: "read", left_out: 0 } }),
  });
  const own = await layer(/^The project's/);
  expect(own).toHaveTextContent("2 rules that would let calls run without asking do not count");
  await user.click(within(own).getByRole("button", { name: "Read and trust them…" }));
  const asked = await screen.findByRole("alertdialog", { name: "Trust this project's rules?" });
  expect(within(asked).getByRole("region", { name: /^The text of/ })).toHaveTextContent(
    'commands = ["git fetch"]',
  );
  expect(within(asked).getByRole("list", { name: "What it would let run" })).toHaveTextContent(
    /fetching is fine.*installing is fine/,
  );
  expect(asked).toHaveTextContent("9a7c1e55f0");
  await expectAccessible(asked);
  expect(daemon.requests("policy_trust")).toEqual([]);
  daemon.answer("policy", aPolicy({ project: { state: "read", left_out: 0 } }));
  await user.click(within(asked).getByRole("button", { name: "Trust this text" }));
  expect(
    await screen.findByRole("heading", { name: /The project's rules.*Trusted/ }),
  ).toBeVisible();
  expect(daemon.requests("policy_trust")).toEqual([
    { project: PROJECT, trusted: true, digest: "9a7c1e55f0" },
  ]);
  await expectAccessible(container);
});

test("a text that took the place of the one on screen is not trusted unread", async () => {
  const { user, daemon, client } = rules();
  await user.click(await screen.findByRole("button", { name: "Read and trust them…" }));
  const asked = await screen.findByRole("alertdialog");
  const worse = { text: "worse", digest: "other", loosens: [] };
  daemon.answer("policy", aPolicy({ project: { written: worse } }));
  await client.invalidateQueries();
  await waitFor(() =>
    expect(within(asked).getByRole("button", { name: "Trust this text" })).toBeDisabled(),
  );
  expect(asked).toHaveTextContent("git fetch");
  expect(asked).toHaveTextContent("The file is another one by now");
});

test("trust is taken back at once: that only tightens", async () => {
  const { user, daemon } = rules({
    policy: aPolicy({ project: { state: "read", left_out: 0 } }),
    policy_trust: aPolicy(),
  });
  await user.click(await screen.findByRole("button", { name: "Trust them no longer" }));
  await waitFor(() =>
    expect(daemon.requests("policy_trust")).toEqual([{ project: PROJECT, trusted: false }]),
  );
});

test("rules that allow nothing need no trust, and a broken file says what that means", async () => {
  const { daemon, client } = rules({ policy: aPolicy({ project: { left_out: 0 } }) });
  expect(await layer(/^The project's/)).toHaveTextContent("there is nothing to trust");
  expect(screen.queryByRole("button", { name: /^Trust/ })).toBeNull();
  daemon.answer(
    "policy",
    aPolicy({ project: { state: "broken", trouble: "line 3, column 1: unknown outcome" } }),
  );
  await client.invalidateQueries();
  expect(await screen.findByText(/line 3, column 1/)).toBeVisible();
  expect(screen.getByText("Everything is reviewed until this file is mended")).toBeVisible();
});

test("one of one's own rules for the project is removed, after asking", async () => {
  const { user, daemon } = rules({ policy_remove: aPolicy({ here: { rules: [] } }) });
  const here = await layer(/^Your rules for this project/);
  const remove = within(here).getByRole("button", {
    name: "Remove the rule “git push origin topic”",
  });
  remove.focus();
  await user.keyboard("{Enter}");
  const asked = await screen.findByRole("alertdialog", { name: /Remove the rule/ });
  daemon.answer("policy", aPolicy({ here: { rules: [] } }));
  await user.click(within(asked).getByRole("button", { name: "Remove" }));
  await waitFor(() =>
    expect(daemon.requests("policy_remove")).toEqual([
      { id: "allowed-0a1b2c3d4e", project: PROJECT },
    ]),
  );
  await waitFor(() => expect(screen.queryByText("git push origin topic")).toBeNull());
  // What is built in, and what the project says, is not one's own to remove.
  expect(screen.getAllByRole("button", { name: /^Remove the rule/ })).toHaveLength(1);
});

test("a rule that could not be removed is said to be there still", async () => {
  const { user } = rules({
    policy_remove: () => {
      throw new CallError({
        code: "conflict",
        message: "policy.toml cannot be written: read-only file system",
        hint: "look at the file's permissions",
      });
    },
  });
  await user.click(await screen.findByRole("button", { name: /our package mirror/ }));
  await user.click(await screen.findByRole("button", { name: "Remove" }));
  expect(await screen.findByText("The rule could not be removed")).toBeVisible();
  expect(screen.getByText(/read-only file system/)).toBeVisible();
});

test("without a project there is only what holds everywhere", async () => {
  const { daemon } = rules({}, "/settings/rules");
  await layer(/^Your rules In force|^Your rulesIn force/);
  expect(screen.queryByRole("heading", { name: /The project's rules/ })).toBeNull();
  expect(screen.queryByRole("textbox", { name: "A shell command" })).toBeNull();
  expect(daemon.requests("policy")).toEqual([{ project: null }]);
});

test("what would be decided about a command is asked, part by part", async () => {
  const { user, daemon } = rules({
    policy_test: {
      verdict: "deny",
      why: "it ruins",
      rule_id: "always:ruin",
      parts: [
        {
          program: "rm -rf /",
          effect: "destroys",
          because: "rm",
          verdict: "deny",
          rule_id: "always:ruin",
          rule: "what destroys data is refused",
          source: "what no preset allows",
        },
      ],
    },
  });
  await user.type(await screen.findByRole("textbox", { name: "A shell command" }), "rm -rf /");
  await user.keyboard("{Enter}");
  const parts = await screen.findByRole("list", { name: "Its parts" });
  expect(parts).toHaveTextContent(/Refused.*rm -rf \/.*destroys.*always:ruin/);
  expect(daemon.requests("policy_test")).toEqual([{ command: "rm -rf /", project: PROJECT }]);
});
