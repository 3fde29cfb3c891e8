// What each step does to the program, seen from outside through /proc, and how each fails.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  compilerSkip,
  copyLauncher,
  fail,
  processFile,
  processStatus,
  rootSkip,
  run,
  start,
  type LaunchOptions,
} from "./test-launch.ts";

const nobody: LaunchOptions = process.getuid?.() === 0 ? { uid: 65534 } : {};
const program = ["--", "/bin/true"];

for (const sanitize of [false, true]) {
  describe(`steps ${sanitize ? "with sanitizers" : "static"}`, { skip: compilerSkip }, () => {
    let binary: string;
    let directory: string;
    const path = (name: string): string => join(directory, name);

    before(async () => {
      ({ directory, binary } = await copyLauncher(sanitize));
      for (const name of ["a", "a/sub", "b", "target", "second"]) mkdirSync(path(name));
      for (const name of ["a", "b"]) writeFileSync(path(`${name}/name`), name);
      writeFileSync(path("plain"), "");
    });
    after(() => rmSync(directory, { recursive: true }));

    test("the program has descriptors 0 to 2 only, whatever the parent leaks", async (t) => {
      const { pid } = await run(t, binary, [], { leaked: 5 });
      assert.deepEqual(readdirSync(`/proc/${pid}/fd`).toSorted(), ["0", "1", "2"]);
      assert.equal(readlinkSync(`/proc/${pid}/fd/0`), "/dev/null");
    });

    test("of the descriptors from 4 on the program gets as many as it is to have", async (t) => {
      const { pid } = await run(t, binary, ["--descriptors", "2"], { leaked: 5 });
      assert.deepEqual(readdirSync(`/proc/${pid}/fd`).toSorted(), ["0", "1", "2", "4", "5"]);
      const args = ["--descriptors", "3", ...program];
      const { report } = await start(t, binary, args, { leaked: 2 }).ended();
      assert.deepEqual(report, { step: "descriptors", errno: 9, code: "EBADF" });
    });

    test("no signal stays ignored or blocked", async (t) => {
      const prefix = ["/usr/bin/env", "--ignore-signal=USR1,PIPE,RTMAX", "--block-signal=TERM,HUP"];
      const { pid } = await run(t, binary, [], { prefix });
      const zero = "0".repeat(16);
      for (const name of ["SigIgn", "SigBlk"]) assert.equal(processStatus(pid, name), zero, name);
    });

    test("what the program creates is for its own user only", async (t) => {
      const { pid } = await run(t, binary, [], {
        prefix: ["/bin/sh", "-c", 'umask 0; exec "$0" "$@"'],
      });
      assert.equal(processStatus(pid, "Umask"), "0077");
    });

    test("the environment is inherited, changed, or only what is given", async (t) => {
      const prefix = ["/usr/bin/env", "-i", "KEPT=1", "CHANGED=old"];
      const environment = async (...args: string[]) => {
        const { pid } = await run(t, binary, args, { prefix });
        return processFile(pid, "environ").split("\0").filter(Boolean).toSorted();
      };
      assert.deepEqual(await environment(), ["CHANGED=old", "KEPT=1"]);
      assert.deepEqual(await environment("--env", "CHANGED=new", "--env", "MORE=a=b"), [
        "CHANGED=new",
        "KEPT=1",
        "MORE=a=b",
      ]);
      assert.deepEqual(
        await environment("--env", "A=1", "--env-clear", "--env", "A=2", "--env", "B="),
        ["A=2", "B="],
      );
      assert.deepEqual(await environment("--env-clear"), []);
    });

    test("the directory is changed", async (t) => {
      const { pid } = await run(t, binary, ["--chdir", path("a")]);
      assert.equal(readlinkSync(`/proc/${pid}/cwd`), path("a"));
      const { report } = await fail(t, binary, ["--chdir", path("none"), ...program]);
      assert.deepEqual(report, { step: "chdir", errno: 2, code: "ENOENT", path: path("none") });
    });

    test("a program that cannot run is reported", async (t) => {
      writeFileSync(path("text"), "no interpreter", { mode: 0o755 });
      for (const [name, errno, code] of [
        ["none", 2, "ENOENT"],
        ["plain", 13, "EACCES"],
        ["a", 13, "EACCES"],
        ["text", 8, "ENOEXEC"],
      ] as const) {
        const ended = await fail(t, binary, ["--", path(name)]);
        assert.deepEqual(ended.report, { step: "exec", errno, code, path: path(name) });
        assert.equal(ended.code, 1);
      }
      assert.equal(
        (await fail(t, binary, ["--", "true"])).report?.code,
        "ENOENT",
        "PATH is searched",
      );
    });

    test("without privilege everything but namespaces works", async (t) => {
      const ours = ["net", "mnt"].map((name) => readlinkSync(`/proc/self/ns/${name}`));
      const { pid } = await run(
        t,
        binary,
        ["--chdir", path("a"), "--rlimit", "core=0", "--env-clear"],
        nobody,
      );
      assert.equal(processStatus(pid, "Umask"), "0077");
      assert.equal(processStatus(pid, "Uid").split("\t")[1], `${nobody.uid ?? process.getuid?.()}`);
      if (nobody.uid === undefined)
        assert.deepEqual(
          ["net", "mnt"].map((name) => readlinkSync(`/proc/${pid}/ns/${name}`)),
          ours,
        );
    });

    test("without privilege a namespace is refused by step and path", async (t) => {
      const refused = { errno: 1, code: "EPERM" };
      const cases = [
        [
          ["--netns", "/proc/self/ns/net"],
          { step: "netns", ...refused, path: "/proc/self/ns/net" },
        ],
        [["--netns", "new"], { step: "netns", ...refused }],
        [["--mountns"], { step: "mountns", ...refused, path: "/" }],
      ] as const;
      for (const [args, report] of cases) {
        const ended = await fail(t, binary, [...args, ...program], nobody);
        assert.deepEqual([ended.report, ended.code], [report, 1]);
      }
    });

    test("a network namespace that is none is refused", async (t) => {
      const step = "netns";
      for (const [name, errno, code] of [
        [path("none"), 2, "ENOENT"],
        [path("plain"), 22, "EINVAL"],
        [path("a"), 22, "EINVAL"],
        ["/proc/self/ns/mnt", 22, "EINVAL"],
      ] as const) {
        const { report } = await fail(t, binary, ["--netns", name, ...program]);
        assert.deepEqual(report, { step, errno, code, path: name });
      }
    });

    test(
      "a new network namespace is empty, and another launcher can join it",
      { skip: rootSkip },
      async (t) => {
        const ours = readlinkSync("/proc/self/ns/net");
        const first = await run(t, binary, ["--netns", "new"]);
        const theirs = readlinkSync(`/proc/${first.pid}/ns/net`);
        assert.notEqual(theirs, ours);
        const interfaces = processFile(first.pid, "net/dev").split("\n").slice(2).filter(Boolean);
        assert.deepEqual(
          interfaces.map((line) => line.split(":")[0]?.trim()),
          ["lo"],
        );

        const second = await run(t, binary, ["--netns", `/proc/${first.pid}/ns/net`]);
        assert.equal(readlinkSync(`/proc/${second.pid}/ns/net`), theirs);
        assert.equal(readlinkSync("/proc/self/ns/net"), ours);
      },
    );

    test("a network device that is not there is refused", { skip: rootSkip }, async (t) => {
      const { report } = await fail(t, binary, ["--netns", "new", "--netdev", "tap9", ...program]);
      assert.deepEqual(report, { step: "netdev", errno: 19, code: "ENODEV", path: "tap9" });
      await run(t, binary, ["--netns", "new", "--netdev", "lo"]);
    });

    test("without a namespace option the program stays in ours", { skip: rootSkip }, async (t) => {
      const { pid } = await run(t, binary, []);
      for (const name of ["net", "mnt"]) {
        assert.equal(
          readlinkSync(`/proc/${pid}/ns/${name}`),
          readlinkSync(`/proc/self/ns/${name}`),
        );
      }
    });

    test(
      "binds are seen by the program only, writable or read-only",
      { skip: rootSkip },
      async (t) => {
        const args = [
          "--mountns",
          "--bind",
          path("a"),
          path("target"),
          "--bind-ro",
          path("b"),
          path("second"),
        ];
        const { pid } = await run(t, binary, [...args, "--chdir", path("target")]);
        const inside = (name: string): string => `/proc/${pid}/root${path(name)}`;

        assert.equal(
          readFileSync(`/proc/${pid}/cwd/name`, "utf8"),
          "a",
          "chdir comes after the binds",
        );
        writeFileSync(inside("target/written"), "x");
        assert.ok(existsSync(path("a/written")));
        assert.equal(readFileSync(inside("second/name"), "utf8"), "b");
        assert.throws(() => writeFileSync(inside("second/written"), "x"), { code: "EROFS" });

        const readOnly = mountLine(pid, path("second"));
        for (const flag of ["ro", "nosuid", "nodev", "noexec"])
          assert.ok(readOnly[5]?.split(",").includes(flag), flag);
        assert.ok(mountLine(pid, path("target"))[5]?.split(",").includes("rw"));
        assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(directory));
        assert.deepEqual(readdirSync(path("target")), []);
      },
    );

    test(
      "binds are made in the order given, and not recursively",
      { skip: rootSkip },
      async (t) => {
        const ordered = ["--bind", path("b"), path("target"), "--bind", path("a"), path("target")];
        const nested = ["--bind", path("b"), path("a/sub"), "--bind", path("a"), path("second")];
        const { pid } = await run(t, binary, ["--mountns", ...ordered, ...nested]);
        const inside = (name: string): string => `/proc/${pid}/root${path(name)}`;
        assert.equal(readFileSync(inside("target/name"), "utf8"), "a");
        assert.equal(readFileSync(inside("a/sub/name"), "utf8"), "b");
        assert.deepEqual(readdirSync(inside("second/sub")), []);
      },
    );

    test("no mount of the new namespace is shared with ours", { skip: rootSkip }, async (t) => {
      // A host whose mounts are shared: the program of a first launcher lives there and keeps it.
      const host = await run(t, binary, [], {
        prefix: ["/usr/bin/unshare", "--mount", "--propagation", "shared"],
      });
      assert.match(processFile(host.pid, "mountinfo"), / shared:/u);
      const prefix = ["/usr/bin/nsenter", `--mount=/proc/${host.pid}/ns/mnt`];
      const args = ["--mountns", "--bind", path("a"), path("target")];
      const { pid } = await run(t, binary, args, { prefix });
      const lines = processFile(pid, "mountinfo").split("\n").filter(Boolean);
      assert.ok(lines.every((line) => !line.includes(" shared:")));
      assert.ok(
        lines.some((line) => line.includes(" master:")),
        "the host's unmounts do not arrive",
      );
    });

    test("a bind that cannot be made names the path at fault", { skip: rootSkip }, async (t) => {
      symlinkSync("loop", path("loop"));
      for (const option of ["--bind", "--bind-ro"]) {
        const cases = [
          ["none", "target", 2, "ENOENT", "none"],
          ["a", "none", 2, "ENOENT", "none"],
          ["plain", "target", 20, "ENOTDIR", "target"],
          ["loop", "target", 40, "ELOOP", "loop"],
        ] as const;
        for (const [source, target, errno, code, fault] of cases) {
          const args = ["--mountns", option, path(source), path(target), ...program];
          const { report } = await fail(t, binary, args);
          assert.deepEqual(report, { step: "bind", errno, code, path: path(fault) });
        }
      }
      rmSync(path("loop"));
    });

    const cgroupRoot = cgroup2Root();
    test(
      "the cgroup is joined",
      { skip: rootSkip || (cgroupRoot === undefined && "no writable cgroup 2 hierarchy") },
      async (t) => {
        const group = join(cgroupRoot ?? "", `virga-launcher-test-${process.pid}`);
        mkdirSync(group);
        const options = ["--cgroup", group, "--mountns", "--netns", "new"];
        const launched = start(t, binary, [...options, "--", "/bin/sleep", "600"]);
        try {
          launched.go();
          assert.equal(await launched.reported(), "");
          assert.equal(readFileSync(join(group, "cgroup.procs"), "utf8"), `${launched.pid}\n`);
        } finally {
          // Only an empty cgroup can be removed.
          await launched.kill();
          rmdirSync(group);
        }
      },
    );

    test("a cgroup that is none is refused", async (t) => {
      const none = await fail(t, binary, ["--cgroup", path("none"), ...program]);
      assert.deepEqual(none.report, {
        step: "cgroup",
        errno: 2,
        code: "ENOENT",
        path: path("none/cgroup.procs"),
      });
      writeFileSync(path("a/cgroup.procs"), "");
      const plain = await fail(t, binary, ["--cgroup", path("a"), ...program]);
      assert.deepEqual(plain.report, {
        step: "cgroup",
        errno: 22,
        code: "EINVAL",
        path: path("a/cgroup.procs"),
      });
      assert.equal(readFileSync(path("a/cgroup.procs"), "utf8"), "");
      const long = `/${"x".repeat(4090)}`;
      assert.equal(
        (await fail(t, binary, ["--cgroup", long, ...program])).report?.code,
        "ENAMETOOLONG",
      );
    });
  });
}

// The fields of the top mount on `target`, as in /proc/PID/mountinfo.
function mountLine(pid: number, target: string): string[] {
  const lines = processFile(pid, "mountinfo")
    .split("\n")
    .map((line) => line.split(" "));
  return lines.findLast((fields) => fields[4] === target) ?? [];
}

function cgroup2Root(): string | undefined {
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  return mounts.find(
    (fields) => fields[2] === "cgroup2" && fields[3]?.split(",").includes("rw"),
  )?.[1];
}
