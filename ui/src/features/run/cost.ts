import type { OpView, Usage } from "../../ipc/bindings";
import { nanoOf, usdOf } from "../../lib/money";

/** What a group of operations used. */
export interface CostSum {
  key: string;
  usage: Usage;
  /** Null: none of it has a known price. */
  usd: string | null;
  /** Requests without a known price: the sum is not all. */
  unpriced: number;
  ops: number;
}

interface Sum {
  usage: Usage;
  nano: bigint;
  priced: boolean;
  unpriced: number;
  ops: number;
}

function add(sums: Map<string, Sum>, key: string, op: OpView): void {
  const sum = sums.get(key) ?? {
    usage: { input: 0, output: 0, cache_read: 0, cache_write: 0, requests: 0 },
    nano: 0n,
    priced: false,
    unpriced: 0,
    ops: 0,
  };
  sums.set(key, sum);
  sum.ops++;
  if (op.cost_usd !== null) {
    sum.nano += nanoOf(op.cost_usd);
    sum.priced = true;
  } else if (op.tokens) sum.unpriced += op.tokens.requests;
  if (!op.tokens) return;
  for (const name of ["input", "output", "cache_read", "cache_write", "requests"] as const) {
    sum.usage[name] += op.tokens[name];
  }
}

const out = ([key, sum]: [string, Sum]): CostSum => ({
  key,
  usage: sum.usage,
  usd: sum.priced ? usdOf(sum.nano) : null,
  unpriced: sum.unpriced,
  ops: sum.ops,
});

const usedAnything = (op: OpView): boolean => op.tokens !== null || op.cost_usd !== null;

/** What each model cost, the dearest first. */
export function costByModel(ops: readonly OpView[]): CostSum[] {
  const sums = new Map<string, Sum>();
  for (const op of ops) if (usedAnything(op)) add(sums, op.name, op);
  return [...sums]
    .sort((a, b) => (a[1].nano < b[1].nano ? 1 : a[1].nano > b[1].nano ? -1 : 0))
    .map(out);
}

/** What each step cost, in order. */
export function costByStep(ops: readonly OpView[]): CostSum[] {
  const sums = new Map<string, Sum>();
  for (const op of ops) if (usedAnything(op)) add(sums, `${op.step}`, op);
  return [...sums].sort((a, b) => Number(a[0]) - Number(b[0])).map(out);
}
