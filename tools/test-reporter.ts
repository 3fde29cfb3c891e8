import { writeFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";
import { emptyTotals, summary } from "./test-totals.ts";

type Outcome = Extract<TestEvent, { type: "test:pass" | "test:fail" }>;

/**
 * Prints each failure with its error and, last, the totals; passing tests say nothing, except in the lab. With `VIRGA_TEST_TOTALS` the
 * totals go to that file instead, for a caller that adds up several runs.
 */
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const totals = emptyTotals();
  // There a test takes minutes: what runs shows that it goes on, and how long what has ended took.
  const slow = process.env["VIRGA_LAB"] === "1";
  for await (const event of source) {
    if (event.type === "test:stderr" || event.type === "test:stdout") yield event.data.message;
    if (event.type === "test:fail") {
      const problem = failure(event);
      if (problem === undefined) continue;
      totals.failed++;
      yield problem;
    }
    if (event.type !== "test:pass") continue;
    const { skip, todo, name, file, details } = event.data;
    if (skip !== undefined) {
      const reason = typeof skip === "string" && skip !== "" ? skip : "no reason given";
      totals.skipped++;
      totals.skips[reason] = (totals.skips[reason] ?? 0) + 1;
    } else if (todo !== undefined || details.type === "suite") {
      continue;
    } else if (isFile(name, file)) {
      totals.failed++;
      yield `FAIL ${name}: the file holds no test\n`;
    } else {
      totals.passed++;
      if (slow) yield `ok ${name} (${Math.round(details.duration_ms / 1000)} s)\n`;
    }
  }
  const target = process.env["VIRGA_TEST_TOTALS"];
  if (target === undefined) yield summary(totals);
  else writeFileSync(target, JSON.stringify(totals));
}

// A parent that failed only because of its children would be counted twice.
function failure(event: Extract<Outcome, { type: "test:fail" }>): string | undefined {
  const { data } = event;
  const { error } = data.details;
  const kind = "failureType" in error ? error.failureType : undefined;
  if (kind === "subtestsFailed") return undefined;
  const cause = error.cause ?? error;
  const where =
    data.file === undefined ? "" : `${relative(process.cwd(), data.file)}:${data.line} `;
  const text = typeof cause === "string" ? cause : inspect(cause);
  return `FAIL ${where}${data.name}\n${text.replaceAll(/^/gmu, "     ")}\n`;
}

// node:test reports a file without tests as one passing test of the file's name.
function isFile(name: string, file: string | undefined): boolean {
  return file !== undefined && resolve(name) === resolve(file);
}
