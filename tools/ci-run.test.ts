import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { useTemporaryDirectory } from "@virga/testkit";

const root = fileURLToPath(new URL("..", import.meta.url));

// An npm that notes its arguments and gives the totals it finds for the script. `<script>.exit` holds its exit code.
const npm = `#!/bin/bash
cd "$(dirname "$0")/.."
echo "$*" >>calls
[[ $1 == run ]] || exit "$(cat "$1.exit" 2>/dev/null || echo 0)"
# Like npm, it ends at once, and what it started a little later.
[[ ! -e $2.hang ]] || { bash -c 'trap "sleep 0.2; echo >ended; exit" TERM; echo >hanging; while :; do sleep 0.1; done' & wait; }
[[ ! -e $2.json ]] || cp "$2.json" "\${@: -1}"
[[ ! -t 0 ]] && [[ -z $(cat) ]] && [[ $CI == true ]] || exit 9
exit "$(cat "$2.exit" 2>/dev/null || echo 0)"
`;
const totals = (passed: number, failed: number, skips: Record<string, number> = {}): string =>
  JSON.stringify({
    passed,
    failed,
    skipped: Object.values(skips).reduce((sum, count) => sum + count, 0),
    skips,
  });

/** A checkout with two commits whose npm is the one above. */
async function checkout(t: TestContext, files: Record<string, string>): Promise<string> {
  const directory = await useTemporaryDirectory(t);
  for (const folder of [".ci", "tools", "bin", "node_modules/.bin"]) {
    mkdirSync(join(directory, folder), { recursive: true });
  }
  for (const file of [".ci/run", "tools/sum-totals.ts", "tools/test-totals.ts"]) {
    cpSync(join(root, file), join(directory, file));
  }
  symlinkSync(process.execPath, join(directory, "node_modules/.bin/node"));
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  writeFileSync(join(directory, "bin/npm"), npm, { mode: 0o755 });
  // The whole PATH: a hypervisor of this machine must not be found.
  for (const name of ["bash", "cat", "cp", "dirname", "git", "mktemp", "rm", "sleep", "timeout"]) {
    const path = ["/usr/bin", "/bin"].map((folder) => join(folder, name)).find(existsSync);
    assert.ok(path, name);
    symlinkSync(path, join(directory, "bin", name));
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const git = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-C", directory];
  spawnSync("git", ["init", "--quiet", directory]);
  for (const subject of ["one", "two"]) {
    const made = spawnSync("git", [...git, "commit", "--quiet", "--allow-empty", "-m", subject]);
    assert.equal(made.status, 0, String(made.stderr));
  }
  return directory;
}

function environment(directory: string): NodeJS.ProcessEnv {
  return { PATH: join(directory, "bin"), TMPDIR: directory };
}

function run(directory: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(join(directory, ".ci/run"), args, {
    cwd: "/",
    encoding: "utf8",
    env: environment(directory),
  });
  const calls = join(directory, "calls");
  return {
    status,
    stderr,
    lines: stdout.trimEnd().split("\n"),
    calls: existsSync(calls) ? readFileSync(calls, "utf8").trimEnd().split("\n") : [],
  };
}

const allPass = {
  "test.json": totals(5, 0, { "qemu: missing": 2 }),
  "test:lab.json": totals(3, 0, { "qemu: missing": 1 }),
  "test:long.json": totals(0, 0),
};

test("every tier runs in order, without input, and the last line is the sum", async (t) => {
  const { status, lines, calls, stderr } = run(await checkout(t, allPass));
  assert.equal(stderr, "");
  assert.equal(lines.at(-1), "8 passed, 0 failed, 3 skipped");
  assert.equal(lines.at(-2), "SKIP 3 x qemu: missing");
  assert.equal(status, 0);
  assert.deepEqual(
    calls.map((call) => call.replace(/ --totals .*/u, "")),
    ["ci", "run test --", "run test:lab --", "run test:long -- --shard 3/40"],
  );
  assert.ok(
    lines.includes("ci: shard 3 of 40 of the long suite; `.ci/run --shard 3` repeats it"),
    lines.join("\n"),
  );
});

test("a missing Cloud Hypervisor is told, one that is named is not", async (t) => {
  const directory = await checkout(t, allPass);
  assert.ok(run(directory).lines.includes("cloud-hypervisor: NOT TESTED"));
  const named = spawnSync(join(directory, ".ci/run"), {
    encoding: "utf8",
    env: { ...environment(directory), VIRGA_CLOUD_HYPERVISOR: "/bin/true" },
  });
  assert.equal(named.status, 0);
  assert.doesNotMatch(named.stdout, /NOT TESTED/);
});

test("--shard chooses the shard; what is no shard is refused before anything runs", async (t) => {
  const directory = await checkout(t, allPass);
  assert.match(
    run(directory, "--shard", "12").calls.at(-1) ?? "",
    /^run test:long -- --shard 12\//,
  );
  for (const bad of [["--shard"], ["--shard", "0"], ["--shard", "41"], ["--shard", "x"], ["1"]]) {
    const empty = await checkout(t, allPass);
    const { status, calls } = run(empty, ...bad);
    assert.equal(status, 2, bad.join(" "));
    assert.deepEqual(calls, []);
  }
});

test("a failing tier fails the run, and the later tiers still run", async (t) => {
  const { status, lines, calls } = run(
    await checkout(t, { ...allPass, "test.json": totals(4, 1), "test.exit": "1" }),
  );
  assert.equal(status, 1);
  assert.equal(lines.at(-1), "7 passed, 1 failed, 1 skipped");
  assert.equal(calls.length, 4);
});

test("a tier that broke off is a failure, whether it left totals or not", async (t) => {
  const { status, lines } = run(
    await checkout(t, {
      "test.json": totals(5, 0),
      "test.exit": "7",
      "test:long.json": totals(1, 0),
    }),
  );
  assert.equal(status, 1);
  assert.ok(lines.includes("FAIL test: exit code 7"));
  assert.ok(lines.includes("FAIL test:lab: no result, exit code 0"));
  assert.equal(lines.at(-1), "6 passed, 2 failed, 0 skipped");
});

test("a failing npm ci ends the run", async (t) => {
  const { status, lines, calls } = run(await checkout(t, { ...allPass, "ci.exit": "1" }));
  assert.equal(status, 1);
  assert.equal(lines.at(-1), "0 passed, 1 failed, 0 skipped");
  assert.deepEqual(calls, ["ci"]);
});

test("SIGTERM ends the step that runs, and leaves nothing", async (t) => {
  const directory = await checkout(t, { ...allPass, "test.hang": "" });
  const child = spawn(join(directory, ".ci/run"), {
    stdio: "ignore",
    env: environment(directory),
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  t.after(() => child.kill("SIGKILL"));
  const hanging = join(directory, "hanging");
  while (!existsSync(hanging)) await sleep(10);
  child.kill("SIGTERM");
  assert.equal(await ended, 143);
  assert.ok(existsSync(join(directory, "ended")), "what npm had started has ended");
});
