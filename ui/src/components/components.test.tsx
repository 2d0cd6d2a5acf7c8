import { screen, waitFor, within } from "@testing-library/react";
import { useState } from "react";
import { expect, test, vi } from "vitest";
import { ago, ahead } from "../test/fixtures";
import { expectAccessible, renderRoom } from "../test/render";
import { Badge, CountBadge, StatePill } from "./Badge";
import { Button, IconButton } from "./Button";
import { CodeBlock } from "./CodeBlock";
import { Sparkline, StackedBars } from "./charts";
import { ConfirmDialog } from "./Dialog";
import { DiffView } from "./DiffView";
import { OpenExternalProvider } from "./ExternalLink";
import { Field, NumberField, Select, Switch, TextField } from "./fields";
import { Countdown, Duration, Money, RelativeTime } from "./figures";
import { Markdown } from "./Markdown";
import { Menu } from "./Menu";
import { Facts, Page, Section } from "./Page";
import { BudgetBar, Progress } from "./Progress";
import { SplitPane } from "./SplitPane";
import { EmptyState, ErrorState, Notice, Skeleton } from "./states";
import { Table } from "./Table";
import { Tabs } from "./Tabs";
import { VirtualList } from "./VirtualList";

test("buttons: the words, the shortcut, and why one cannot be pressed", async () => {
  const press = vi.fn();
  const { user } = renderRoom(
    <>
      <Button keys="a" onPress={press}>
        Approve
      </Button>
      <Button why="The run is over" onPress={press}>
        Pause
      </Button>
      <IconButton label="Copy" icon={<svg aria-hidden="true" />} onPress={press} />
    </>,
  );
  await user.click(screen.getByRole("button", { name: "Approve" }));
  await user.click(screen.getByRole("button", { name: "Copy" }));
  await user.click(screen.getByRole("button", { name: "Pause" }));
  expect(press).toHaveBeenCalledTimes(2);
  expect(screen.getByRole("button", { name: "Approve" })).toHaveAttribute("aria-keyshortcuts", "a");
  expect(screen.getByText("The run is over")).toBeInTheDocument();
});

function Form({ onChange }: { onChange: (what: string, value: unknown) => void }) {
  const [kind, setKind] = useState<string | null>(null);
  return (
    <>
      <TextField label="Prompt" help="What is to be done" onChange={(v) => onChange("prompt", v)} />
      <TextField label="Key" error="That is not a key" />
      <NumberField label="Budget" unit="USD" onChange={(v) => onChange("budget", v)} />
      <Select
        label="Kind"
        value={kind}
        onChange={setKind}
        options={[
          { id: "a", label: "First", detail: "the one" },
          { id: "b", label: "Second" },
        ]}
      />
      <Switch label="Free" on={false} onChange={(v) => onChange("free", v)} />
      <Field label="Group">
        <Badge>inside</Badge>
      </Field>
    </>
  );
}

test("fields: labels, help and errors belong to them, values arrive", async () => {
  const change = vi.fn();
  const { user, container } = renderRoom(<Form onChange={change} />);
  await user.type(screen.getByRole("textbox", { name: "Prompt" }), "Hi");
  expect(screen.getByRole("textbox", { name: "Prompt" })).toHaveAccessibleDescription(/to be done/);
  expect(screen.getByRole("textbox", { name: "Key" })).toBeInvalid();
  expect(screen.getByText("That is not a key")).toBeVisible();
  await user.type(screen.getByRole("textbox", { name: "Budget" }), "5{Tab}");
  await user.click(screen.getByRole("switch", { name: "Free" }));
  expect(change.mock.calls.map((call) => call.slice(0, 2))).toEqual([
    ["prompt", "H"],
    ["prompt", "Hi"],
    ["budget", 5],
    ["free", true],
  ]);
  await expectAccessible(container);
  await user.click(screen.getByRole("button", { name: /Kind/ }));
  await user.click(await screen.findByRole("option", { name: /First/ }));
  expect(await screen.findByRole("button", { name: /First.*Kind/ })).toBeVisible();
});

function Confirm({ done }: { done: () => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onPress={() => setOpen(true)}>Discard…</Button>
      <ConfirmDialog
        title="Discard the workspace?"
        open={open}
        onClose={() => setOpen(false)}
        onConfirm={done}
        confirm="Discard"
        danger
      >
        Its files are deleted.
      </ConfirmDialog>
    </>
  );
}

test("a confirmation: escape is no, and focus comes back", async () => {
  const done = vi.fn();
  const { user } = renderRoom(<Confirm done={done} />);
  await user.click(screen.getByRole("button", { name: "Discard…" }));
  expect(await screen.findByRole("alertdialog", { name: "Discard the workspace?" })).toBeVisible();
  await user.keyboard("{Escape}");
  await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
  expect(done).not.toHaveBeenCalled();
  await waitFor(() => expect(screen.getByRole("button", { name: "Discard…" })).toHaveFocus());
  await user.keyboard("{Enter}");
  await user.click(await screen.findByRole("button", { name: "Discard" }));
  expect(done).toHaveBeenCalledOnce();
});

test("a menu does what is chosen and says why something cannot be", async () => {
  const run = vi.fn();
  const { user } = renderRoom(
    <Menu
      label="More"
      trigger={<Button>More</Button>}
      entries={[
        { id: "a", label: "Copy the id", run },
        null,
        { id: "b", label: "Cancel", why: "It is over", danger: true, run },
      ]}
    />,
  );
  await user.click(screen.getByRole("button", { name: "More" }));
  expect(await screen.findByRole("menuitem", { name: /Cancel/ })).toHaveAttribute(
    "aria-disabled",
    "true",
  );
  await user.click(screen.getByRole("menuitem", { name: "Copy the id" }));
  expect(run).toHaveBeenCalledOnce();
});

test("tabs: arrows move, enter chooses", async () => {
  const choose = vi.fn();
  const { user } = renderRoom(
    <Tabs
      label="Views"
      chosen="one"
      onChoose={choose}
      tabs={[
        { id: "one", label: "One", content: <p>First view</p> },
        { id: "two", label: "Two", content: <p>Second view</p> },
      ]}
    />,
  );
  expect(screen.getByText("First view")).toBeVisible();
  await user.click(screen.getByRole("tab", { name: "One" }));
  await user.keyboard("{ArrowRight}{Enter}");
  expect(choose).toHaveBeenLastCalledWith("two");
});

function Ten({ onOpen, count = 10_000 }: { onOpen: (n: number) => void; count?: number }) {
  const [current, setCurrent] = useState<string | null>(null);
  const [items] = useState(() => Array.from({ length: count }, (_, i) => i));
  return (
    <div style={{ height: 400 }}>
      <VirtualList
        label="Numbers"
        items={items}
        keyOf={(n) => String(n)}
        render={(n) => `Item ${n}`}
        estimate={40}
        current={current}
        onCurrent={setCurrent}
        onOpen={onOpen}
        isHeading={(n) => n === 0}
      />
    </div>
  );
}

test("a list of ten thousand: few rows exist, keys move, headings are passed over", async () => {
  const open = vi.fn();
  const { user } = renderRoom(<Ten onOpen={open} />);
  const list = screen.getByRole("listbox", { name: "Numbers" });
  expect(within(list).getAllByRole("option").length).toBeLessThan(80);
  await user.tab();
  expect(list).toHaveFocus();
  expect(within(list).getByRole("option", { selected: true })).toHaveTextContent("Item 1");
  await user.keyboard("jj{ArrowDown}k");
  expect(within(list).getByRole("option", { selected: true })).toHaveTextContent("Item 3");
  await user.keyboard("{Enter}");
  expect(open).toHaveBeenCalledWith(3);
  await user.keyboard("{Home}");
  expect(within(list).getByRole("option", { selected: true })).toHaveTextContent("Item 1");
});

test("a table sorts by what can be sorted by", async () => {
  const sort = vi.fn();
  const { user, container } = renderRoom(
    <Table
      label="Models"
      columns={[
        {
          id: "name",
          title: "Model",
          cell: (row: string) => row,
          sort: (a, b) => (a < b ? -1 : 1),
        },
        { id: "n", title: "Length", cell: (row) => row.length, numeric: true },
      ]}
      rows={["sonnet", "opus"]}
      keyOf={(row) => row}
      sortedBy={{ column: "name", descending: true }}
      onSort={sort}
    />,
  );
  expect(screen.getByRole("columnheader", { name: /Model/ })).toHaveAttribute(
    "aria-sort",
    "descending",
  );
  await user.click(screen.getByRole("button", { name: /Model/ }));
  expect(sort).toHaveBeenCalledWith("name");
  await expectAccessible(container);
});

test("money that is not known is never zero, and what may come on top is said", () => {
  renderRoom(
    <>
      <p>
        A: <Money usd={null} />
      </p>
      <p>
        B: <Money usd="0.0123" unsettled="0.5" />
      </p>
      <p>
        C: <Money usd="1" unsettled="0" partly />
      </p>
    </>,
  );
  expect(screen.getByText(/^A:/)).toHaveTextContent("A: no price known");
  expect(screen.getByText(/^B:/)).toHaveTextContent("B: $0.0123 + up to $0.50");
  expect(screen.getByText(/^C:/)).toHaveTextContent("C: ≥ $1.00");
});

test("times are relative, exact on hover", () => {
  const at = ago(300);
  renderRoom(
    <>
      <RelativeTime at={at} />
      <RelativeTime at={null} never="not yet" />
      <p>
        Took <Duration ms={61_000} />
      </p>
      <p>
        Opens <Countdown until={ahead(90.5)} />
      </p>
    </>,
  );
  expect(screen.getByText("5 min ago")).toHaveAttribute("datetime", at);
  expect(screen.getByText("5 min ago").title).toMatch(/20\d\d/);
  expect(screen.getByText("not yet")).toBeVisible();
  expect(screen.getByText(/^Took/)).toHaveTextContent("Took 1 min 1 s");
  expect(screen.getByText(/^Opens/)).toHaveTextContent(/in 1 min 3\d s/);
});

test("figures for eyes have words too", async () => {
  const { container } = renderRoom(
    <>
      <Sparkline values={[1, 5, 2]} label="Events in the last hour: at most 5 a minute" />
      <StackedBars
        label="Cost by day"
        columns={["Mon", "Tue"]}
        series={[
          { key: "sonnet", values: [1, 2] },
          { key: "opus", values: [0, 3] },
        ]}
        format={(v) => `$${v}`}
      />
      <BudgetBar label="Budget" used={4.6} max={5} words="$4.60 of $5.00" />
      <Progress label="Indexing" />
      <StatePill tone="busy" moving>
        Running
      </StatePill>
      <CountBadge count={3} label="waiting" />
    </>,
  );
  expect(screen.getByRole("img", { name: /at most 5/ })).toBeInTheDocument();
  const table = screen.getByRole("table", { name: "Cost by day" });
  expect(within(table).getByRole("row", { name: "Tue $2 $3" })).toBeInTheDocument();
  expect(screen.getByRole("meter", { name: "Budget" })).toHaveAttribute("aria-valuetext", "92 %");
  expect(screen.getByRole("progressbar", { name: "Indexing" })).not.toHaveAttribute(
    "aria-valuenow",
  );
  await expectAccessible(container);
});

test("code shows what is hidden in it and copies what is really there", async () => {
  const { user } = renderRoom(<CodeBlock label="Command" text={"rm \u202etxt.a\u202c"} />);
  expect(screen.getByRole("region", { name: "Command" })).toHaveTextContent(
    "rm ⟨U+202E⟩txt.a⟨U+202C⟩",
  );
  expect(screen.getByText(/characters that are invisible/)).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Copy command" }));
  expect(await navigator.clipboard.readText()).toBe("rm \u202etxt.a\u202c");
});

test("markdown: no images, no scripts, links ask before they leave", async () => {
  const open = vi.fn();
  const text = [
    "# Done",
    "**bold** <script>alert(1)</script><b>raw</b>",
    "![pixel](https://evil.example/p.png)",
    "[docs](https://example.org/a) [bad](javascript:alert(1))",
    "```\ncargo test\n```",
  ].join("\n\n");
  const { user, container } = renderRoom(
    <OpenExternalProvider open={open}>
      <Markdown text={text} />
    </OpenExternalProvider>,
  );
  expect(container.querySelector("img, script, b")).toBeNull();
  expect(screen.getByText("[image: pixel]")).toBeVisible();
  expect(screen.queryByRole("link", { name: "bad" })).toBeNull();
  expect(screen.queryByRole("heading", { name: "Done" })).toBeNull();
  expect(screen.getByRole("region", { name: "Code" })).toHaveTextContent("cargo test");
  await user.click(screen.getByRole("link", { name: "docs" }));
  expect(open).not.toHaveBeenCalled();
  const dialog = await screen.findByRole("dialog");
  expect(dialog).toHaveTextContent("https://example.org/a");
  await user.click(within(dialog).getByRole("button", { name: "Open in the browser" }));
  expect(open).toHaveBeenCalledWith("https://example.org/a");
});

test("a diff: the files as a tree, signs besides colours", async () => {
  const diff =
    "diff --git a/src/a.rs b/src/a.rs\n--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1 +1 @@\n-old\n+new\n";
  const { container } = renderRoom(
    <DiffView diff={diff} aside={(path, line) => line.kind === "added" && <i>{path}</i>} />,
  );
  const tree = screen.getByRole("navigation", { name: "Changed files" });
  expect(within(tree).getByRole("button", { name: /a\.rs/ })).toBeVisible();
  expect(within(tree).getByText("src/")).toBeVisible();
  const lines = screen.getByRole("region", { name: "Changed lines" });
  expect(lines).toHaveTextContent("removed: old");
  expect(lines).toHaveTextContent("added: new");
  expect(within(lines).getAllByText("src/a.rs")).toHaveLength(2);
  await expectAccessible(container);
});

test("panes are moved by keyboard, within their limits", async () => {
  const { user } = renderRoom(
    <SplitPane label="Width of the list" start="list" end="detail" size={360} min={350} />,
  );
  const separator = screen.getByRole("separator", { name: "Width of the list" });
  separator.focus();
  await user.keyboard("{ArrowRight}");
  expect(separator).toHaveAttribute("aria-valuenow", "376");
  await user.keyboard("{ArrowLeft}{ArrowLeft}{ArrowLeft}");
  expect(separator).toHaveAttribute("aria-valuenow", "350");
});

test("a page, its parts and its states", async () => {
  const retry = vi.fn();
  const { user, container } = renderRoom(
    <Page
      title="Health"
      beside={<Badge tone="good">Fine</Badge>}
      actions={<Button>Do</Button>}
      scrolls
    >
      <Section title="Daemon">
        <Facts facts={[["Version", "0.1.0"]]} />
      </Section>
      <EmptyState title="Nothing here">Really.</EmptyState>
      <ErrorState
        title="Could not read"
        error={{ message: "The disk is full.", hint: "Free some space: `df -h` says where." }}
        onRetry={retry}
      />
      <Notice tone="warn" title="Careful" />
      <Skeleton />
    </Page>,
  );
  expect(screen.getByRole("heading", { level: 1, name: "Health" })).toBeVisible();
  expect(screen.getByRole("alert")).toHaveTextContent(
    "The disk is full.Free some space: df -h says where.",
  );
  expect(screen.getByText("df -h").tagName).toBe("CODE");
  await user.click(screen.getByRole("button", { name: "Try again" }));
  expect(retry).toHaveBeenCalledOnce();
  await expectAccessible(container);
});
