import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { guestErrorCodes } from "@virga/guest";
import { virgaErrorCodes } from "@virga/vm";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = globSync("**/*.md", { cwd: root, exclude: ["**/node_modules/**", "**/dist/**"] });
const read = (path: string): string => readFileSync(join(root, path), "utf8");

test("links between pages lead to files that exist", () => {
  const broken: string[] = [];
  for (const page of pages) {
    for (const [, link = ""] of read(page).matchAll(/\]\(([^)\s]+)\)/gu)) {
      if (/^[a-z]+:|^#/u.test(link)) continue;
      const target = join(root, dirname(page), link.split("#", 1)[0] ?? "");
      if (!existsSync(target)) broken.push(`${page}: ${link}`);
    }
  }
  assert.ok(pages.includes("README.md"));
  assert.deepEqual(broken, []);
});

test("npm scripts named in the documentation exist", () => {
  const manifest: { scripts: Record<string, string> } = JSON.parse(read("package.json"));
  const unknown: string[] = [];
  for (const page of pages) {
    for (const [, script = ""] of read(page).matchAll(/npm run (?:-s )?([a-z][a-z:-]*)/gu)) {
      if (!(script in manifest.scripts)) unknown.push(`${page}: npm run ${script}`);
    }
  }
  assert.deepEqual(unknown, []);
});

test("each promise names a test or bench that exists, or is pending", () => {
  const rows = read("SPECIFICATION.md")
    .split("\n")
    .filter((line) => /^\| P\d+/u.test(line));
  assert.ok(rows.length > 0);
  for (const row of rows) {
    const proof = row.split("|").at(-2)?.trim() ?? "";
    const file = /^`([^`]+)`/u.exec(proof)?.[1];
    assert.ok(proof === "pending" || (file !== undefined && existsSync(join(root, file))), row);
  }
});

test("every dependency has its row in CONTRIBUTING.md", () => {
  const text = read("CONTRIBUTING.md");
  const missing = new Set<string>();
  for (const manifest of [
    "package.json",
    ...globSync("{packages/*,bench,examples}/package.json", { cwd: root }),
  ]) {
    const {
      dependencies = {},
      devDependencies = {},
      optionalDependencies = {},
    } = JSON.parse(read(manifest));
    for (const name of Object.keys({
      ...dependencies,
      ...devDependencies,
      ...optionalDependencies,
    })) {
      if (!name.startsWith("@virga/") && !text.includes(`\`${name}\``)) missing.add(name);
    }
  }
  assert.deepEqual([...missing], []);
});

test("every error code has its line in docs/errors.md, and every line its code", () => {
  const page = read("docs/errors.md");
  const documented = [...page.matchAll(/^\| `([A-Z_]+)`/gmu)].map(([, code = ""]) => code);
  const byName = (left: string, right: string): number => left.localeCompare(right);
  assert.deepEqual(
    documented.toSorted(byName),
    [...virgaErrorCodes, ...guestErrorCodes].toSorted(byName),
  );
});
