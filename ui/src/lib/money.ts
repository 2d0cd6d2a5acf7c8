/** Nano-dollars as an integer, from the daemon's decimal string. Sums of these are exact. */
export function nanoOf(usd: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,9})\d*)?$/.exec(usd.trim());
  if (!match) return 0n;
  const [, sign, whole = "0", rest = ""] = match;
  const nano = BigInt(whole) * 1_000_000_000n + BigInt(rest.padEnd(9, "0"));
  return sign ? -nano : nano;
}

/** The decimal string of an integer number of nano-dollars. */
export function usdOf(nano: bigint): string {
  const sign = nano < 0n ? "-" : "";
  const abs = nano < 0n ? -nano : nano;
  const rest = (abs % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  return `${sign}${abs / 1_000_000_000n}${rest ? `.${rest}` : ""}`;
}

export function sumUsd(amounts: Iterable<string>): string {
  let sum = 0n;
  for (const amount of amounts) sum += nanoOf(amount);
  return usdOf(sum);
}

/** For drawing and comparing only: never summed. */
export function dollars(usd: string): number {
  return Number(nanoOf(usd)) / 1e9;
}

// Made once: making one for every amount of a long list is felt.
const CENTS = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});

/** `$12.30` from a dollar on; below, up to four significant digits: `$0.0123`. Zero is `$0.00`. */
export function formatUsd(usd: string): string {
  const value = dollars(usd);
  const abs = Math.abs(value);
  const sign = value < 0 ? "-" : "";
  if (abs === 0) return "$0.00";
  // 0.99999 rounds to a whole dollar and is then written as one.
  if (abs >= 0.99995) {
    return `${sign}$${CENTS.format(abs)}`;
  }
  const digits = Math.min(9, 3 - Math.floor(Math.log10(abs)));
  const text = abs.toFixed(digits).replace(/0+$/, "");
  const [, fraction = ""] = text.split(".");
  return `${sign}$0.${fraction.padEnd(2, "0")}`;
}
