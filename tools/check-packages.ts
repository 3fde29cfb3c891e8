// Packs each published package and checks the tarball: nothing missing, exports resolve, no built-in test files.
// Without prepack, so that no compiler is needed: what it adds is tested by packed.vm.test.ts.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

const root = fileURLToPath(new URL("..", import.meta.url));
const packages = ["vm", "guest", "sandbox", "cli"];
const work = mkdtempSync(join(tmpdir(), "virga-pack-"));
const problems: string[] = [];
try {
  const workspaces = packages.flatMap((name) => ["-w", `packages/${name}`]);
  const output = execFileSync(
    "npm",
    ["pack", "--json", "--ignore-scripts", "--pack-destination", work, ...workspaces],
    {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const packed: Packed[] = Object.values(JSON.parse(output.slice(output.search(/^[[{]/mu))));
  if (packed.length !== packages.length) problems.push(`npm packed ${packed.length} packages`);
  for (const { name, filename, files } of packed) {
    const paths = files.map((file) => file.path);
    for (const path of paths) {
      if (/\.test\.|\.tsbuildinfo$/u.test(path))
        problems.push(`${name}: ${path} does not belong in it`);
    }
    for (const path of ["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts"]) {
      if (!paths.includes(path)) problems.push(`${name}: ${path} is missing`);
    }
    for (const file of files) {
      if (file.path.startsWith("bin/") && (file.mode & 0o111) === 0) {
        problems.push(`${name}: ${file.path} is not executable`);
      }
    }
    const bytes = readFileSync(join(work, filename));
    const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
    for (const message of messages) problems.push(`${name}: ${formatMessage(message, pkg)}`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
