import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  compilerSkip,
  copyLauncher,
  processFile,
  processStatus,
  run,
  start,
  type LaunchOptions,
} from "./test-launch.ts";

const nobody: LaunchOptions = process.getuid?.() === 0 ? { uid: 65534 } : {};

for (const sanitize of [false, true]) {
  describe(`limits ${sanitize ? "with sanitizers" : "static"}`, { skip: compilerSkip }, () => {
    let binary: string;
    let directory: string;
    const path = (name: string): string => join(directory, name);

    before(async () => {
      ({ directory, binary } = await copyLauncher(sanitize));
    });
    after(() => rmSync(directory, { recursive: true }));

    test("limits lower the soft and the hard one", async (t) => {
      const names = {
        core: 0,
        nofile: 77,
        fsize: 1 << 30,
        nproc: 999,
        memlock: 4096,
        stack: 1 << 20,
      };
      const args = Object.entries(names).flatMap(([name, value]) => [
        "--rlimit",
        `${name}=${value}`,
      ]);
      const { pid } = await run(t, binary, args);
      assert.deepEqual(limits(pid, "Max open files"), ["77", "77"]);
      assert.deepEqual(limits(pid, "Max core file size"), ["0", "0"]);
      assert.deepEqual(limits(pid, "Max file size"), ["1073741824", "1073741824"]);
      assert.deepEqual(limits(pid, "Max processes"), ["999", "999"]);
      assert.deepEqual(limits(pid, "Max locked memory"), ["4096", "4096"]);
      assert.deepEqual(limits(pid, "Max stack size"), ["1048576", "1048576"]);
    });

    test("a file that reaches its limit ends no program", async (t) => {
      const file = path("limited");
      const script = `dd if=/dev/zero of=${file} bs=1000 count=100 2>/dev/null; echo $? > ${path("ended")}`;
      const command = ["--", "/bin/sh", "-c", script];
      const launched = start(t, binary, ["--rlimit", "fsize=65536", ...command]);
      launched.go();
      const { report, code, signal } = await launched.ended();
      assert.deepEqual([report, code, signal], [undefined, 0, null]);
      assert.equal(readFileSync(path("ended"), "utf8"), "1\n");
      assert.equal(statSync(file).size, 65536);
      const { pid } = await run(t, binary, []);
      assert.equal(processStatus(pid, "SigIgn"), "0".repeat(16));
    });

    test("a limit above the hard one becomes the hard one, without privilege", async (t) => {
      const prefix = ["/bin/sh", "-c", 'ulimit -S -n 80 && ulimit -H -n 90 && exec "$0" "$@"'];
      for (const [wanted, got] of [
        ["85", "85"],
        ["1000", "90"],
        ["18446744073709551615", "90"],
      ]) {
        const { pid } = await run(t, binary, ["--rlimit", `nofile=${wanted}`], {
          prefix,
          ...nobody,
        });
        assert.deepEqual(limits(pid, "Max open files"), [got, got]);
      }
    });
  });
}

// Soft and hard, as in /proc/PID/limits.
function limits(pid: number, name: string): (string | undefined)[] {
  const line = processFile(pid, "limits")
    .split("\n")
    .find((entry) => entry.startsWith(name));
  return line?.slice(name.length).trim().split(/\s+/u).slice(0, 2) ?? [];
}
