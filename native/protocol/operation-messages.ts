// Requests, answers and events as PROTOCOL.md has them, keys in its order.

/** What a message means; `{"$bin": hex}` stands for bytes. */
export type Value =
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | { readonly [key: string]: Value };

const status = {
  type: "file",
  size: 5_000_000_000,
  mode: 0o644,
  uid: 1000,
  gid: 100,
  mtimeNs: [-1, 999_999_999],
};

/** Each by its name. */
export const operationMessages: readonly (readonly [name: string, value: Value])[] = [
  ["request ping", { op: "ping" }],
  [
    "response ping",
    {
      ok: true,
      version: 1,
      agent: "0.1.0",
      bootMs: 1234,
      prepared: false,
      initialised: true,
    },
  ],
  [
    "request init",
    {
      op: "init",
      entropy: { $bin: "11".repeat(32) },
      timeNs: [1_764_000_000, 999_999_999],
      hostname: "i0123456789abcdefghi",
      machineId: "00112233445566778899aabbccddeeff",
      env: { LANG: "C.UTF-8" },
      network: {
        interface: "eth0",
        address: "10.0.2.15/24",
        gateway: "10.0.2.2",
        dns: ["10.0.2.3"],
        mac: "52:54:00:12:34:56",
        mtu: 1500,
      },
    },
  ],
  ["request init, least", { op: "init", entropy: { $bin: "22".repeat(32) } }],
  ["request prepare", { op: "prepare", timeoutMs: 2000 }],
  ["request thaw", { op: "thaw" }],
  [
    "request exec",
    {
      op: "exec",
      argv: ["sh", "-c", "echo hi"],
      env: { A: "1", B: "" },
      cwd: "/tmp",
      stdin: true,
      pty: { rows: 24, cols: 80, term: "xterm-256color" },
      user: "daemon",
      login: false,
      limits: { nofile: [1024, -1], core: 0 },
      detach: false,
      tag: "job",
      ringBytes: 65_536,
      timeoutMs: 60_000,
      inheritEnv: true,
    },
  ],
  [
    "request exec, argument is not text",
    {
      op: "exec",
      argv: ["cat", { $bin: "2f746d702fff" }],
      stdin: false,
    },
  ],
  ["response exec", { ok: true, pid: 42 }],
  [
    "response not found",
    {
      ok: false,
      code: "NOT_FOUND",
      message: 'Cannot run "nope": not found in PATH',
      errno: 2,
      what: "program",
    },
  ],
  [
    "response not frozen",
    {
      ok: false,
      code: "NOT_FROZEN",
      message: "User processes did not freeze within 2000 ms",
      pids: [77, 78],
    },
  ],
  ["request attach", { op: "attach", tag: "job", replay: true }],
  [
    "response attach",
    {
      ok: true,
      pid: 42,
      pty: false,
      stdin: true,
      outFrom: 4_294_967_296,
      errFrom: 0,
    },
  ],
  ["request execs", { op: "execs" }],
  [
    "response execs",
    {
      ok: true,
      execs: [
        { pid: 42, tag: "job", program: "make", pty: false, attached: true, startedMs: 1000 },
        {
          pid: 7,
          program: "sh",
          pty: true,
          attached: false,
          startedMs: 5,
          signal: 9,
          timedOut: true,
        },
      ],
    },
  ],
  ["request signal", { op: "signal", pid: 42, signal: 15, group: false }],
  ["event taken", { event: "taken" }],
  ["event exit code", { event: "exit", code: 3 }],
  ["event exit signal", { event: "exit", signal: 11, core: true }],
  ["event exit timed out", { event: "exit", signal: 9, timedOut: true }],
  ["control signal", { control: "signal", signal: 15, group: false }],
  ["control resize", { control: "resize", rows: 50, cols: 132 }],
  ["request file.stat", { op: "file.stat", path: "/etc/passwd", follow: false, user: "1000" }],
  ["response file.stat", { ok: true, ...status }],
  ["record of file.list, name is not text", { path: { $bin: "61ff" }, ...status }],
  [
    "request file.write",
    {
      op: "file.write",
      path: "/a/b",
      mode: 0o600,
      owner: "user:group",
      parents: true,
    },
  ],
  [
    "request file.set",
    {
      op: "file.set",
      path: "/a",
      mtimeNs: [1, 2],
      attributes: { one: { $bin: "00ff" }, two: null },
    },
  ],
  ["request file.list", { op: "file.list", path: "/a", depth: 200 }],
  ["request file.read", { op: "file.read", path: "/a", offset: 5_000_000_000, length: 0 }],
  [
    "request file.mkdir",
    { op: "file.mkdir", path: "/a/b", mode: 0o1777, owner: ":group", parents: true },
  ],
  ["request file.remove", { op: "file.remove", path: "/a", recursive: true, missingOk: true }],
  ["request file.rename", { op: "file.rename", from: "/a", to: "/b", replace: false }],
  ["request file.symlink", { op: "file.symlink", path: "/a", target: "../b", owner: "1000" }],
  ["request file.attributes", { op: "file.attributes", path: "/a" }],
  ["response file.attributes", { ok: true, attributes: { one: { $bin: "00ff" } } }],
  ["request file.pack", { op: "file.pack", path: "/a" }],
  ["request file.unpack", { op: "file.unpack", path: "/a", owner: "user" }],
  ["event done", { event: "done" }],
  [
    "event failed",
    {
      event: "failed",
      code: "NO_SPACE",
      message: 'Cannot write "/a/b": No space left on device',
      errno: 28,
    },
  ],
  ["request file.watch", { op: "file.watch", path: "/a", recursive: false }],
  ["record of file.watch", { event: "renamed", path: "b", to: "c/d" }],
  ["record of file.watch, lost some", { event: "overflow" }],
  ["request tunnel", { op: "tunnel", port: 8080, host: "127.0.0.1" }],
  ["request ports", { op: "ports" }],
  ["record of ports", { port: 8080, address: "127.0.0.1", uid: 1000 }],
  ["request sync", { op: "sync" }],
  ["request stats", { op: "stats" }],
  [
    "response stats",
    {
      ok: true,
      uptimeMs: 5000,
      loadAverage: [12, 34, 56],
      cpus: 2,
      cpuBusyMs: 1500,
      cpuTotalMs: 10_000,
      diskTotalKib: 122_880,
      diskFreeKib: 100_000,
      memoryTotalKib: 245_760,
      memoryFreeKib: 200_000,
      memoryAvailableKib: 210_000,
      processes: 3,
      agentResidentKib: 600,
    },
  ],
  ["request shutdown", { op: "shutdown", mode: "poweroff" }],
];
