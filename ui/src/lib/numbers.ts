const COUNT = new Intl.NumberFormat("en-US");

/** `1,234` */
export function count(value: number): string {
  return COUNT.format(value);
}

/** `1.2 k`, `3.4 M`: for tokens, where the order of magnitude matters. */
export function short(value: number): string {
  if (value < 1000) return value.toString();
  const [divisor, unit] =
    value < 999_950 ? [1e3, "k"] : value < 999_950_000 ? [1e6, "M"] : [1e9, "G"];
  const scaled = value / divisor;
  return `${scaled < 100 ? scaled.toFixed(1).replace(/\.0$/, "") : scaled.toFixed(0)} ${unit}`;
}

/** `12.3 MB`, in powers of 1000 as disks are sold. */
export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let scaled = value;
  let unit = "B";
  for (const next of units) {
    if (scaled < 1000) break;
    scaled /= 1000;
    unit = next;
  }
  return `${scaled < 100 ? scaled.toFixed(1).replace(/\.0$/, "") : scaled.toFixed(0)} ${unit}`;
}

/** `1 run`, `2 runs`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** The last part of a path, for lists; the whole belongs into its title. */
export function baseName(path: string): string {
  const parts = path.split(/[/\\]/).filter(Boolean);
  return parts.at(-1) ?? path;
}
