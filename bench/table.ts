import type { Result } from "./measure.ts";
import { relativeHalfWidth, type Estimate } from "./statistics.ts";
import type { Aim } from "./verdict.ts";

const HEAD = ["what", "rounds", "raw median", "p95", "virga median", "p95", "ratio", "", "aim", ""];

/** The results as a table for a terminal. */
export function table(results: readonly Result[]): string {
  const rows = [HEAD, ...results.map(row)];
  const widths = HEAD.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  return rows
    .map((cells) =>
      cells
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function row(result: Result): string[] {
  const { name, unit, raw, virga, comparison, aim, verdict } = result;
  const amount = (value: number | undefined): string =>
    value === undefined ? "" : `${digits(value)} ${unit}`;
  return [
    name,
    String(virga.count),
    amount(raw?.median),
    amount(raw?.p95),
    amount(virga.median),
    amount(virga.p95),
    comparison === undefined ? "" : interval(comparison.ratio, ""),
    precision(result),
    aim === undefined ? "" : aimText(aim, result),
    verdict ?? "",
  ];
}

/** Half the interval's width: of the ratio, or of the median where there is nothing to compare with. Two samples have none. */
function precision({ comparison, median, virga }: Result): string {
  if (virga.count < 3) return "";
  const share = relativeHalfWidth(comparison?.ratio ?? median);
  return Number.isFinite(share) ? `±${Math.ceil(share * 100)} %` : "";
}

function aimText({ of, most }: Aim, { comparison, unit }: Result): string {
  if (of === "ratio") return `<= ${most}`;
  if (of === "value") return `<= ${digits(most)} ${unit}`;
  const difference = comparison === undefined ? "" : `${interval(comparison.difference, "+")}, `;
  return `${difference}<= +${most} ${unit}`;
}

function interval({ value, low, high }: Estimate, sign: string): string {
  return `${sign}${digits(value)} [${digits(low)}, ${digits(high)}]`;
}

function digits(value: number): string {
  // Time was up before the first round.
  if (Number.isNaN(value)) return "-";
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
