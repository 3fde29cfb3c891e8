// The command line, the go byte and the report; what each step does is in steps.test.ts.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  buildLauncher,
  compilerSkip,
  fail,
  processFile,
  processStat,
  run,
  start,
  waitForState,
} from "./test-launch.ts";

const missing = ["--", "/nonexistent/program"];

for (const sanitize of [false, true]) {
  describe(`launcher ${sanitize ? "with sanitizers" : "static"}`, { skip: compilerSkip }, () => {
    let binary: string;
    let directory: string;

    before(async () => {
      binary = await buildLauncher(sanitize);
      directory = mkdtempSync(join(tmpdir(), "virga-launcher-"));
    });
    after(() => rmSync(directory, { recursive: true }));

    test("tells its version without a channel", () => {
      const { status, stdout } = spawnSync(binary, ["--version"], { encoding: "utf8" });
      assert.deepEqual([status, stdout], [0, "virga-launcher 1\n"]);
    });

    test("the spawned pid becomes the program, leading a session of its own", async (t) => {
      const { pid } = await run(t, binary, []);
      assert.deepEqual(processFile(pid, "cmdline").split("\0"), ["/bin/sleep", "600", ""]);
      assert.deepEqual([processStat(pid, 5), processStat(pid, 6)], [`${pid}`, `${pid}`]);
      assert.equal(processStat(pid, 4), `${process.pid}`);
    });

    test("does nothing before the go byte, and ends quietly when none comes", async (t) => {
      const launched = start(t, binary, ["--rlimit", "nofile=64", ...missing]);
      await waitForGoRead(launched.pid);
      assert.doesNotMatch(processFile(launched.pid, "limits"), /files +64 /u);
      launched.channel.end();
      const { report, code, stderr } = await launched.ended();
      assert.deepEqual([report, code], [undefined, 3]);
      assert.equal(stderr, "");
    });

    test("another byte than go is refused", async (t) => {
      for (const bytes of ["x", "\0", "G", "\n", "x".repeat(1000)]) {
        const launched = start(t, binary, missing);
        launched.channel.write(bytes);
        const { report, code } = await launched.ended();
        assert.deepEqual(report, { step: "go", errno: 71, code: "EPROTO" });
        assert.equal(code, 1);
      }
    });

    test("waits on a channel that does not block, too", async (t) => {
      // The relay gives its descriptor 3 on after making it non-blocking; that is a property both then share.
      const relay = `
        const { Socket } = require("node:net");
        new Socket({ fd: 3, readable: false });
        const options = { stdio: ["ignore", "inherit", "inherit", 3] };
        const child = require("node:child_process").spawn(process.argv[1], process.argv.slice(2), options);
        process.stderr.write(child.pid + "\\n");
        child.on("exit", (code) => process.exit(code));`;
      const child = spawn(process.execPath, ["-e", relay, binary, ...missing], {
        stdio: ["ignore", "ignore", "pipe", "pipe"],
      });
      const exit = once(child, "exit");
      t.after(() => child.kill("SIGKILL"));
      const channel = child.stdio[3];
      assert.ok(child.stderr && channel && "write" in channel);
      const [printed] = await once(child.stderr, "data");
      const pid = Number(String(printed));
      await waitForGoRead(pid);
      const flags = /flags:\s*(\d+)/u.exec(processFile(pid, "fdinfo/3"))?.[1];
      assert.equal(Number.parseInt(flags ?? "", 8) & 0o4000, 0o4000);
      channel.write("g");
      const [line] = await once(channel, "data");
      assert.equal(JSON.parse(String(line)).step, "exec");
      assert.deepEqual(await exit, [1, null]);
    });

    test("a process that already leads a group is refused", async (t) => {
      const { report, code } = await start(t, binary, missing, { detached: true }).ended();
      assert.deepEqual(report, { step: "session", errno: 1, code: "EPERM" });
      assert.equal(code, 1);
    });

    test("a go byte that comes too early does not spoil the report", async (t) => {
      const prefix = ["/bin/sh", "-c", 'kill -STOP $$; exec "$0" "$@"'];
      const launched = start(t, binary, missing, { detached: true, prefix });
      await waitForState(launched.pid, "T");
      launched.go();
      process.kill(launched.pid, "SIGCONT");
      assert.equal((await launched.ended()).report?.step, "session");
    });

    test("the program ends with its parent, where that is wanted", async (t) => {
      for (const wanted of [true, false]) {
        const parent = startBelow(t, binary, wanted);
        const pid = await parent.started;
        await waitForState(pid, "S");
        parent.child.kill("SIGKILL");
        await parent.ended;
        if (!wanted) {
          assert.equal(processFile(pid, "comm"), "sleep\n");
          process.kill(pid, "SIGKILL");
        }
        // The program's own end of the pipe is the last one.
        await parent.released;
      }
    });

    test("a parent that is gone already is noticed", async (t) => {
      const launched = start(t, binary, ["--die-with-parent", "1", ...missing]);
      const { report, code, stderr } = await launched.ended();
      assert.deepEqual([report, code, stderr], [undefined, 3, ""]);
    });

    test("a manager that is gone does not hide the exit code", async (t) => {
      const launched = start(t, binary, missing);
      await waitForGoRead(launched.pid);
      process.kill(launched.pid, "SIGSTOP");
      launched.channel.write("g");
      launched.channel.destroy();
      await once(launched.channel, "close");
      process.kill(launched.pid, "SIGCONT");
      const { code, signal } = await launched.ended();
      assert.deepEqual([code, signal], [1, null]);
    });

    test("descriptor 3 must be there and be a channel; a file is left alone", () => {
      const file = join(directory, "file");
      writeFileSync(file, "untouched");
      const descriptor = openSync(file, "r+");
      try {
        for (const channel of [[], [descriptor]]) {
          const stdio = ["ignore" as const, "pipe" as const, "pipe" as const, ...channel];
          for (const args of [missing, ["--wrong"]]) {
            const { status, stderr } = spawnSync(binary, args, { stdio, encoding: "utf8" });
            assert.equal(status, 2);
            assert.match(stderr, args === missing ? /descriptor 3 is neither/u : /unknown/u);
          }
        }
      } finally {
        closeSync(descriptor);
      }
      assert.equal(readFileSync(file, "utf8"), "untouched");
    });

    test("a closed standard descriptor is refused", async (t) => {
      for (const closed of ["0<&-", "1>&-", "2>&-"]) {
        const prefix = ["/bin/sh", "-c", `exec "$0" "$@" ${closed}`];
        const { report } = await start(t, binary, missing, { prefix }).ended();
        assert.deepEqual(report, { step: "descriptors", errno: 9, code: "EBADF" });
      }
    });

    const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
      ["no program", [], /"-- PROGRAM" is missing/u],
      ["no separator", ["/bin/true"], /unknown: "\/bin\/true"/u],
      ["nothing after the separator", ["--"], /PROGRAM is missing/u],
      ["an unknown option", ["--jail", "--", "x"], /unknown: "--jail"/u],
      ["a joined value", ["--chdir=/", "--", "x"], /unknown: "--chdir=\/"/u],
      ["a missing value", ["--chdir"], /value is missing after: "--chdir"/u],
      ["a missing second value", ["--mountns", "--bind", "a"], /value is missing after: "--bind"/u],
      ["an option given twice", ["--cgroup", "a", "--cgroup", "b", "--", "x"], /twice/u],
      ["a bind without mountns", ["--bind", "a", "b", "--", "x"], /need --mountns/u],
      ["a read-only one", ["--bind-ro", "a", "b", "--", "x"], /need --mountns/u],
      [
        "too many binds",
        Array.from({ length: 65 * 3 }, (_, i) => ["--bind", "a", "b"][i % 3] ?? ""),
        /more than 64/u,
      ],
      ["a parent that is no number", ["--die-with-parent", "x1", "--", "x"], /no number: "x1"/u],
      ["a parent of number 0", ["--die-with-parent", "0", "--", "x"], /no number: "0"/u],
      ["an empty parent", ["--die-with-parent", "", "--", "x"], /no number: ""/u],
      [
        "a parent beyond all numbers",
        ["--die-with-parent", "99999999999", "--", "x"],
        /no number/u,
      ],
      [
        "two parents",
        ["--die-with-parent", "1", "--die-with-parent", "1", "--", "x"],
        /twice: "--die-with-parent"/u,
      ],
      ["no descriptors", ["--descriptors", "0", "--", "x"], /not 1 to 16: "0"/u],
      ["too many descriptors", ["--descriptors", "17", "--", "x"], /not 1 to 16: "17"/u],
      [
        "descriptors twice",
        ["--descriptors", "1", "--descriptors", "1", "--", "x"],
        /twice: "--descriptors"/u,
      ],
      ["an environment entry without name", ["--env", "=x", "--", "x"], /not NAME=VALUE: "=x"/u],
      ["one without value", ["--env", "PATH", "--", "x"], /not NAME=VALUE: "PATH"/u],
      ...[
        "",
        "=",
        "=3",
        "nofile",
        "nofile=",
        "nofile=-1",
        "nofile=+1",
        "nofile= 1",
        "nofile=1x",
        "nofile=0x10",
        "nofiles=1",
        "nofil=1",
        "NOFILE=1",
        "nofile=unlimited",
        "nofile=18446744073709551616",
        "nofile=99999999999999999999",
      ].map(
        (limit) =>
          [
            `the limit ${JSON.stringify(limit)}`,
            ["--rlimit", limit, "--", "x"],
            /a limit is not/u,
          ] as const,
      ),
    ];
    for (const [name, args, message] of wrong) {
      test(`usage: ${name}`, async (t) => {
        const launched = start(t, binary, args);
        const { report, code, stderr } = await launched.ended();
        assert.deepEqual(report, { step: "usage", errno: 22, code: "EINVAL" });
        assert.equal(code, 2);
        assert.match(stderr, /^virga-launcher: .*\n$/u);
        assert.match(stderr, message);
      });
    }

    test("whatever bytes a path has, the report is one line of JSON", async (t) => {
      const path = '/no/"quoted"\\back\nline\ttab\u0001\u007f\u00e9\u20ac\u{1f600}';
      const { report } = await fail(t, binary, ["--chdir", path, "--", "x"]);
      assert.deepEqual(report, { step: "chdir", errno: 2, code: "ENOENT", path });
    });

    test("bytes that are not UTF-8 are replaced, one by one", async (t) => {
      const cases: readonly (readonly [octal: string, replaced: number])[] = [
        ["\\377", 1],
        ["\\200", 1],
        ["\\300\\200", 2], // overlong
        ["\\301\\277", 2],
        ["\\340\\237\\277", 3],
        ["\\360\\217\\277\\277", 4],
        ["\\355\\240\\200", 3], // a surrogate
        ["\\364\\220\\200\\200", 4], // above U+10FFFF
        ["\\342\\202", 2], // cut
        ["\\303", 1],
        ["\\342\\202x", 2],
      ];
      for (const [octal, replaced] of cases) {
        const script = `exec "$0" --chdir "$(printf '/a${octal}')" -- x`;
        const { report } = await fail(t, binary, [], { prefix: ["/bin/sh", "-c", script] });
        const rest = octal.endsWith("x") ? "x" : "";
        assert.equal(report?.path, `/a${"\ufffd".repeat(replaced)}${rest}`, octal);
      }
    });

    test("a path too long for the kernel is reported, cut", async (t) => {
      const { report } = await fail(t, binary, ["--chdir", "\u0001".repeat(100_000), "--", "x"]);
      assert.deepEqual(report, {
        step: "chdir",
        errno: 36,
        code: "ENAMETOOLONG",
        path: "\u0001".repeat(4096),
      });
    });
  });
}

/** A parent that lets the launcher become a program which only that parent, or a signal, ends. */
function startBelow(t: TestContext, binary: string, wanted: boolean) {
  const parent = `
    const [binary, wanted] = process.argv.slice(1);
    const args = wanted === "true" ? ["--die-with-parent", String(process.pid)] : [];
    const child = require("node:child_process").spawn(binary, [...args, "--", "/bin/sleep", "600"], {
      stdio: ["ignore", 3, "ignore", "pipe"],
    });
    child.stdio[3].write("g");
    child.stdio[3].on("end", () => console.log(child.pid)).resume();`;
  const child = spawn(process.execPath, ["-e", parent, binary, String(wanted)], {
    stdio: ["ignore", "pipe", "inherit", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  const held = child.stdio[3];
  assert.ok(child.stdout && held && "resume" in held);
  const started = once(child.stdout, "data").then(([line]) => Number(String(line)));
  return { child, started, ended: once(child, "exit"), released: once(held.resume(), "close") };
}

async function waitForGoRead(pid: number): Promise<void> {
  while (processStat(pid, 6) !== `${pid}`) await turn();
  await waitForState(pid, "S");
}
