import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import type { Applied, AppliedWhat, RunView } from "../../ipc/bindings";
import { CallError } from "../../ipc/errors";
import type { Script } from "../../ipc/transport/fake";
import { aReview, aRunView } from "../../test/fixtures";
import { expectAccessible, renderRoom } from "../../test/render";
import { RunRoom } from "./RunRoom";
import { useLeftOut } from "./run-state";

const RUN = "019a0000-0000-7000-8000-00000000abcd";

const changed = (path: string) =>
  `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-old\n+new\n`;
const DIFF = [
  changed("src/lex.rs"),
  changed("src/list.rs"),
  "diff --git a/notes.md b/docs/notes.md\nsimilarity index 100%\nrename from notes.md\nrename to docs/notes.md\n",
].join("");

const HUNKS = {
  run: RUN,
  diff: `${changed("src/lex.rs")}diff --git "a/a\\tb" "b/a\\tb"\n--- "a/a\\tb"\n+++ "b/a\\tb"\n@@ -1 +1 @@\n-old\n+new\n@@ -11 +11 @@\n-old\n+new\n`,
  files: ["src/lex.rs", "a\tb"],
  hunks: [
    { path: "src/lex.rs", number: 1, digest: "zero" },
    { path: "a\tb", number: 1, digest: "one" },
    { path: "a\tb", number: 2, digest: "two" },
  ],
};

const applied = (over: Partial<Applied> = {}): Applied => ({
  run: RUN,
  target: "longhaul/abcd",
  commit: "1234567890abcdef",
  ...over,
});

const became = (...whats: AppliedWhat[]) => whats.map((what, i) => ({ path: `file-${i}`, what }));

function changes(
  view: Partial<RunView> = {},
  script: Script = {},
  tab: "changes" | "details" = "changes",
) {
  const whole = aRunView({ id: RUN, state: "completed", steps: 1, ...view });
  return renderRoom(<RunRoom run={RUN} tab={tab} />, {
    at: `/runs/${RUN}/${tab}`,
    script: {
      show: whole,
      steps: { run: RUN, total: 1, head_seq: 1, steps: [] },
      activity: { from: whole.created_at, bucket_s: 10, events: [], tokens: [] },
      logs: { run: RUN, entries: [], next: null },
      diff: { run: RUN, diff: DIFF, files: [] },
      apply: applied(),
      ...script,
    },
  });
}

type Person = ReturnType<typeof changes>["user"];

async function applyAs(user: Person, as: RegExp): Promise<void> {
  await user.click(await screen.findByRole("button", { name: /^Apply/ }));
  await user.click(await screen.findByRole("menuitem", { name: as }));
}

const workspace = (over: Partial<RunView["workspace"]>) => ({
  workspace: { ...aRunView().workspace, ...over },
});

beforeEach(() => useLeftOut.setState({ leftOut: new Map() }));

describe("applying all of it", () => {
  it("becomes a branch by the keyboard alone, and says how to merge it", async () => {
    const { user, daemon } = changes();
    await screen.findByText("3 files changed");
    screen.getByRole("button", { name: "Apply" }).focus();
    await user.keyboard("{Enter}");
    const first = await screen.findByRole("menuitem", { name: /As a branch/ });
    expect(first).toHaveFocus();
    await user.keyboard("{Enter}");
    await screen.findByText("Applied as the branch longhaul/abcd");
    expect(daemon.requests("apply")).toEqual([{ run: RUN, as: "branch", by: "browser" }]);
    expect(screen.getByText("Commit 1234567890. Your files are as they were.")).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Copy the merge command" }));
    expect(await navigator.clipboard.readText()).toBe("git merge longhaul/abcd");
  });

  it("becomes a commit on the branch one is on, and says how to undo it", async () => {
    const { user, daemon } = changes(
      {},
      { apply: applied({ target: "main", paths: became("written", "written", "merged") }) },
    );
    await screen.findByText("3 files changed");
    await applyAs(user, /As a commit on my branch/);
    expect(await screen.findByText("Applied as commit 1234567890 on main")).toBeVisible();
    expect(
      screen.getByText("2 files written, 1 merged with yours. To undo it: git revert 1234567890."),
    ).toBeVisible();
    expect(daemon.requests("apply")[0]).toMatchObject({ as: "commit" });
  });

  it("becomes uncommitted changes, and what they replaced can be had back", async () => {
    const { user, daemon } = changes(
      {},
      {
        apply: applied({
          target: "/home/ada/my parser",
          commit: null,
          paths: became("written", "deleted", "replaced_yours", "left_out"),
          kept: { store: "/home/ada/kept's.git", commit: "feed" },
        }),
      },
    );
    await screen.findByText("3 files changed");
    await applyAs(user, /As uncommitted changes/);
    expect(await screen.findByText("Applied as uncommitted changes")).toBeVisible();
    expect(
      screen.getByText(
        "1 file written, 1 deleted, 1 replaced yours (kept), 1 left out (in a submodule). In /home/ada/my parser. What was replaced or removed is kept until the run is discarded.",
      ),
    ).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Copy the undo command" }));
    expect(await navigator.clipboard.readText()).toBe(
      "git --git-dir='/home/ada/kept'\\''s.git' --work-tree='/home/ada/my parser' checkout feed -- .",
    );
    expect(daemon.requests("apply")[0]).toMatchObject({ as: "changes" });
  });

  it("says that all of it was there already", async () => {
    const { user } = changes(
      {},
      { apply: applied({ target: "main", commit: null, paths: became("same", "same") }) },
    );
    await screen.findByText("3 files changed");
    await applyAs(user, /As a commit/);
    expect(await screen.findByText("main has all of it already")).toBeVisible();
    expect(screen.getByText("2 files the same already.")).toBeVisible();
  });

  it("passes on why the daemon refuses", async () => {
    const { user } = changes(
      {},
      {
        apply: () => {
          throw new CallError({
            code: "conflict",
            message: "its result is being applied already",
            hint: "wait for it to end",
          });
        },
      },
    );
    await screen.findByText("3 files changed");
    await applyAs(user, /As a branch/);
    expect(await screen.findByText("The changes could not be applied")).toBeVisible();
    expect(
      screen.getByText("its result is being applied already wait for it to end"),
    ).toBeVisible();
  });

  it("is done once: while it is under way it says so", async () => {
    let done: (answer: Applied) => void = () => {};
    const { user, daemon } = changes(
      {},
      { apply: () => new Promise<Applied>((resolve) => (done = resolve)) },
    );
    await screen.findByText("3 files changed");
    await applyAs(user, /As a branch/);
    expect(await screen.findByRole("button", { name: "Applying…" })).toBeDisabled();
    expect(screen.getByText("It is being applied")).toBeInTheDocument();
    done(applied());
    await waitFor(() => expect(screen.getByRole("button", { name: "Apply" })).toBeEnabled());
    expect(daemon.requests("apply")).toHaveLength(1);
  });
});

it("nothing is applied while a person has to decide, and the review is one press away", async () => {
  const { user, visited } = changes(
    {},
    {
      apply: applied({
        target: "",
        commit: null,
        review: "conflict-1",
        paths: ["a.py", "b.py", "c.py", "d.py"].map((path) => ({ path, what: "conflict" })),
      }),
    },
  );
  await screen.findByText("3 files changed");
  await applyAs(user, /As uncommitted changes/);
  expect(await screen.findByText("Nothing was applied yet")).toBeVisible();
  expect(
    screen.getByText(
      "You changed a.py, b.py, c.py and 1 more meanwhile: decide first what becomes of that.",
    ),
  ).toBeVisible();
  expect(screen.queryByText(/^Applied/)).toBeNull();
  await user.click(screen.getByRole("button", { name: "Open review" }));
  expect(visited).toEqual(["/inbox/conflict-1"]);
});

describe("applying a part", () => {
  it("names the chosen files, both names of a renamed one", async () => {
    const { user, daemon, container } = changes();
    const tick = await screen.findByRole("checkbox", { name: "Apply src/lex.rs" });
    expect(tick).toBeChecked();
    tick.focus();
    await user.keyboard(" ");
    expect(tick).not.toBeChecked();
    const folder: HTMLInputElement = screen.getByRole("checkbox", { name: "Apply src/" });
    expect(folder.indeterminate).toBe(true);
    await expectAccessible(container);
    await user.click(screen.getByRole("button", { name: "Apply 2 of 3 files" }));
    await user.click(await screen.findByRole("menuitem", { name: /As a branch/ }));
    await waitFor(() =>
      expect(daemon.requests("apply")).toEqual([
        {
          run: RUN,
          as: "branch",
          by: "browser",
          paths: ["src/list.rs", "notes.md", "docs/notes.md"],
        },
      ]),
    );
  });

  it("takes a file hunk by hunk, by the keyboard, and names the hunks that were seen", async () => {
    const { user, daemon, container } = changes({}, { diff: HUNKS });
    await screen.findByText("2 files changed");
    const second = screen.getByRole("checkbox", { name: "Apply a\tb from line 11" });
    second.focus();
    await user.keyboard(" ");
    expect(second).not.toBeChecked();
    const file: HTMLInputElement = screen.getByRole("checkbox", { name: "Apply a\tb" });
    expect(file.indeterminate).toBe(true);
    // What has one hunk is had whole.
    expect(screen.queryByRole("checkbox", { name: "Apply src/lex.rs from line 1" })).toBeNull();
    await expectAccessible(container);
    await user.click(screen.getByRole("button", { name: "Apply 2 of 2 files, 1 in part" }));
    await user.click(await screen.findByRole("menuitem", { name: /As uncommitted changes/ }));
    await waitFor(() =>
      expect(daemon.requests("apply")).toEqual([
        {
          run: RUN,
          as: "changes",
          by: "browser",
          paths: ["src/lex.rs"],
          hunks: [{ path: "a\tb", number: 1, digest: "one" }],
        },
      ]),
    );
    await user.click(file);
    expect(second).toBeChecked();
    expect(screen.getByRole("button", { name: /^Apply/ })).toHaveTextContent(/^Apply\s*$/);
  });

  it("leaves a hunk out only as long as it is that hunk", async () => {
    let digest = "two";
    const { user } = changes(
      {},
      {
        diff: () => ({
          ...HUNKS,
          hunks: HUNKS.hunks.map((h) => (h.number === 2 ? { ...h, digest } : h)),
        }),
      },
    );
    const second = () => screen.findByRole("checkbox", { name: "Apply a\tb from line 11" });
    await user.click(await second());
    expect(await second()).not.toBeChecked();
    digest = "another";
    await user.click(screen.getByRole("button", { name: "Look again" }));
    await waitFor(async () => expect(await second()).toBeChecked());
  });

  it("takes whole folders and all files in and out, and never none", async () => {
    const { user } = changes();
    await user.click(await screen.findByRole("checkbox", { name: "Apply src/" }));
    expect(screen.getByRole("button", { name: "Apply 1 of 3 files" })).toBeEnabled();
    const all: HTMLInputElement = screen.getByRole("checkbox", { name: "Apply all files" });
    expect(all.indeterminate).toBe(true);
    await user.click(all);
    expect(screen.getByRole("checkbox", { name: "Apply src/lex.rs" })).toBeChecked();
    await user.click(all);
    expect(screen.getByRole("button", { name: "Apply 0 of 3 files" })).toBeDisabled();
    expect(screen.getByText("No file is chosen")).toBeInTheDocument();
  });
});

describe("what cannot be applied says why", () => {
  const running: Partial<RunView> = { state: "running", verify: null };
  it.each<[string, Partial<RunView>, string]>([
    ["a run at work", running, "It is running: wait for it, or pause it"],
    ["unverified work", { state: "paused" }, "Its verify command has not passed yet"],
    ["a failed run", { state: "failed" }, "Its verify command has not passed: it is failed"],
    [
      "work in place",
      workspace({ kind: "in-place" }),
      "It worked in the project itself: there is nothing to apply",
    ],
    ["a discarded run", workspace({ discarded: true }), "Its workspace is discarded"],
    [
      "what waits for a decision",
      { reviews: [aReview({ run: RUN, kind: "conflict" })] },
      "It is being applied and waits for your decision in the Inbox",
    ],
  ])("%s", async (_, view, why) => {
    changes(view);
    await screen.findByText("3 files changed");
    const button = screen.getByRole("button", { name: "Apply" });
    expect(button).toBeDisabled();
    expect(within(button.parentElement as HTMLElement).getByText(why)).toBeInTheDocument();
  });

  it("a folder without git takes uncommitted changes only", async () => {
    const { user, daemon } = changes(workspace({ kind: "copy" }));
    await screen.findByText("3 files changed");
    await user.click(screen.getByRole("button", { name: "Apply" }));
    const branch = await screen.findByRole("menuitem", { name: /As a branch/ });
    expect(branch).toHaveAttribute("aria-disabled", "true");
    expect(branch).toHaveTextContent("The project is not in git");
    await user.click(screen.getByRole("menuitem", { name: /As uncommitted changes/ }));
    await waitFor(() => expect(daemon.requests("apply")[0]).toMatchObject({ as: "changes" }));
  });
});

describe("the workspace's details", () => {
  it("say that commands run in a sandbox, and what the files take", async () => {
    const { container } = changes(
      workspace({ bytes: 12_300_000, sandbox: { used: true, why: null } }),
      {},
      "details",
    );
    expect(await screen.findByText("Commands that begin now run in it")).toBeVisible();
    expect(screen.getByText("12.3 MB, with its snapshots")).toBeVisible();
    await expectAccessible(container);
  });

  it("say why there is no sandbox", async () => {
    changes(workspace({ sandbox: { used: false, why: "bwrap was not found" } }), {}, "details");
    expect(await screen.findByText("Not used")).toBeVisible();
    expect(screen.getByText(/bwrap was not found/)).toBeVisible();
    expect(screen.getByText("not measured yet")).toBeVisible();
  });
});
