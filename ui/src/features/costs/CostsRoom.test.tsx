import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { CostReport, CostRow } from "../../ipc/bindings";
import { expectAccessible, renderRoom } from "../../test/render";
import { CostsRoom } from "./CostsRoom";
import { asCsv } from "./export";

function aRow(over: Partial<CostRow> = {}): CostRow {
  return {
    key: "claude-x",
    usage: { input: 1000, output: 200, cache_read: 5000, cache_write: 0, requests: 4 },
    cost_usd: "1.5",
    reported_usd: "0",
    estimated_usd: "0",
    unsettled_cost_usd: "0",
    unpriced_requests: 0,
    cache_saved_usd: "0.25",
    ...over,
  };
}

const reportOf = (rows: CostRow[], total: CostRow): CostReport => ({
  by: "model",
  since: null,
  rows,
  total,
});

const quiet = {
  cost_series: {
    days: ["2026-11-21"],
    keys: ["claude-x"],
    values: [["1.5"]],
    unsettled: ["0"],
    unpriced_requests: [0],
  },
  limits: { limits: [] },
};

test("shows the sum and each kind of figure apart", async () => {
  const total = aRow({ cost_usd: "2", reported_usd: "0.5", unsettled_cost_usd: "0.125" });
  const { container } = renderRoom(<CostsRoom />, {
    at: "/costs",
    script: { ...quiet, cost: reportOf([aRow()], total) },
  });
  const spent = await screen.findByRole("region", { name: "Spent" });
  expect(spent).toHaveTextContent("$2.00");
  expect(spent).toHaveTextContent("$1.50 from the price book, $0.50 reported by agents");
  expect(screen.getByRole("region", { name: "Unsettled" })).toHaveTextContent("$0.125");
  await expectAccessible(container);
});

test("what has no price is never shown as zero", async () => {
  const unknown = aRow({ key: "mystery", cost_usd: "0", unpriced_requests: 4 });
  renderRoom(<CostsRoom />, {
    at: "/costs",
    script: { ...quiet, cost: reportOf([unknown], unknown) },
  });
  const row = await screen.findByRole("row", { name: /mystery/ });
  expect(within(row).getByText("no price known")).toBeInTheDocument();
});

test("asks for whole days of the chosen range", async () => {
  const { user, daemon } = renderRoom(<CostsRoom />, {
    at: "/costs",
    script: { ...quiet, cost: reportOf([aRow()], aRow()) },
  });
  await user.click(await screen.findByRole("radio", { name: "Today" }));
  await waitFor(() => {
    const last = daemon.requests("cost_series").at(-1);
    const span = Date.parse(last?.until ?? "") - Date.parse(last?.since ?? "");
    // A day is 23, 24 or 25 hours long.
    expect(Math.round(span / 3_600_000 / 24)).toBe(1);
  });
});

test("sorts by a column, both ways", async () => {
  const rows = [aRow({ key: "b", cost_usd: "1" }), aRow({ key: "a", cost_usd: "3" })];
  const { user } = renderRoom(<CostsRoom />, {
    at: "/costs",
    script: { ...quiet, cost: reportOf(rows, aRow()) },
  });
  const table = await screen.findByRole("table", { name: "Costs by model" });
  const keys = () =>
    within(table)
      .getAllByRole("row")
      .slice(1, 3)
      .map((row) => row.textContent?.[0]);
  expect(keys()).toEqual(["a", "b"]);
  await user.click(within(table).getByRole("button", { name: /Cost/ }));
  expect(keys()).toEqual(["b", "a"]);
});

test("the export keeps every digit and leaves unknown prices empty", () => {
  const text = asCsv(
    reportOf(
      [aRow({ cost_usd: "0.000000001" }), aRow({ cost_usd: "0", unpriced_requests: 4 })],
      aRow(),
    ),
  );
  const [, first, second] = text.split("\r\n");
  expect(first).toBe("claude-x,4,1000,200,5000,0,0.000000001,0,0,0,0");
  expect(second).toBe("claude-x,4,1000,200,5000,0,,0,0,0,4");
});
