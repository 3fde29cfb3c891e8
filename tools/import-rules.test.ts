// The linter's import rules, tried on a tree with one import a file: a rule that no longer applies would go unnoticed.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { useTemporaryDirectory } from "@virga/testkit";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Where imports point outward, across packages by a path, or to what is for tests only. */
const forbidden: readonly (readonly [file: string, imported: string])[] = [
  ["packages/vm/src/a.ts", "@virga/guest"],
  ["packages/vm/src/b.ts", "@virga/sandbox"],
  ["packages/vm/src/c.ts", "virga"],
  ["packages/vm/src/launch/d.ts", "../../../guest/src/index.ts"],
  ["packages/vm/src/hypervisor/qemu/a.ts", "@virga/guest"],
  ["packages/vm/src/hypervisor/qemu/b.ts", "../cloud-hypervisor/driver.ts"],
  ["packages/vm/src/hypervisor/cloud-hypervisor/a.ts", "@virga/guest"],
  ["packages/vm/src/hypervisor/cloud-hypervisor/b.ts", "../qemu/driver.ts"],
  ["packages/vm/test/a.test.ts", "@virga/sandbox"],
  ["packages/guest/src/a.ts", "@virga/vm"],
  ["packages/guest/src/b.ts", "../../vm/src/index.ts"],
  ["packages/guest/src/c.test.ts", "@virga/vm"],
  ["packages/sandbox/src/a.ts", "virga"],
  ["packages/sandbox/src/b.ts", "@virga/vm/src/state.ts"],
  ["packages/sandbox/src/c.ts", "../../vm/src/index.ts"],
  ["packages/sandbox/test/a.test.ts", "virga"],
  ["packages/cli/src/a.ts", "@virga/vm/src/state.ts"],
  ["packages/cli/src/b.ts", "../../sandbox/src/index.ts"],
  ["packages/testkit/src/a.ts", "virga"],
  ...["vm", "guest", "sandbox", "cli"].map(
    (name) => [`packages/${name}/src/testkit.ts`, "@virga/testkit"] as const,
  ),
];

const allowed: readonly (readonly [file: string, imported: string])[] = [
  ["packages/vm/src/hypervisor/qemu/c.ts", "../port.ts"],
  ["packages/vm/src/e.test.ts", "@virga/testkit"],
  ["packages/guest/src/d.test.ts", "@virga/testkit"],
  ["packages/sandbox/src/d.ts", "@virga/vm"],
  ["packages/sandbox/src/e.ts", "@virga/guest"],
  ["packages/cli/src/c.ts", "@virga/sandbox"],
  ["packages/cli/test/a.test.ts", "@virga/testkit"],
  ["packages/testkit/src/b.ts", "@virga/vm"],
];

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
}

/** Which files of the tree break which of the two rules about imports. */
function lint(tree: string): string[] {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "node_modules/oxlint/bin/oxlint"), "-f", "json", "."],
    { cwd: tree, encoding: "utf8" },
  );
  assert.match(stdout, /^\{/u, stderr);
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly Diagnostic[] };
  return diagnostics
    .flatMap(({ code, filename }) => {
      const [, rule] = /\((no-restricted-imports|no-cycle)\)/u.exec(code) ?? [];
      return rule === undefined ? [] : [`${filename}: ${rule}`];
    })
    .toSorted();
}

test("an import that points outward, across packages or in a circle is an error", async (t) => {
  const tree = await useTemporaryDirectory(t);
  copyFileSync(join(root, ".oxlintrc.json"), join(tree, ".oxlintrc.json"));
  const write = (file: string, imported: string): void => {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    writeFileSync(join(tree, file), `import { a } from "${imported}";\n\nexport const b = a;\n`);
  };
  for (const [file, imported] of [...forbidden, ...allowed]) write(file, imported);
  const circle = ["packages/guest/src/round.ts", "packages/guest/src/about.ts"] as const;
  write(circle[0], "./about.ts");
  write(circle[1], "./round.ts");
  assert.deepEqual(
    lint(tree),
    [
      ...forbidden.map(([file]) => `${file}: no-restricted-imports`),
      ...circle.map((file) => `${file}: no-cycle`),
    ].toSorted(),
  );
});
