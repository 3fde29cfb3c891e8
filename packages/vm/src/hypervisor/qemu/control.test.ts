import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { startFakeQmp, useTemporaryDirectory } from "@virga/testkit";
import type { FakeQmp } from "@virga/testkit";
import type { ResolvedVmConfig } from "../../config/vm-config.ts";
import { vmLayout } from "../../directory.ts";
import type { SnapshotManifest } from "../../snapshot/manifest.ts";
import type { SnapshotSource, VmContext } from "../port.ts";
import { QemuControl } from "./control.ts";

const MIB = 1 << 20;
const LONG = { timeoutMs: 20_000 };

/** By command: an answer, or a function that makes it from the command's arguments. */
type Answers = Readonly<Record<string, unknown>>;

interface Setup {
  readonly vm: VmContext;
  readonly control: QemuControl;
  readonly operations: FakeQmp;
  readonly reads: FakeQmp;
}

/** A control whose two monitors answer `answers`; what is not among them is refused. */
async function useControl(
  context: TestContext,
  answers: Answers,
  config: Partial<ResolvedVmConfig> = {},
): Promise<Setup> {
  const layout = vmLayout(await useTemporaryDirectory(context), "api.sock", false);
  await mkdir(layout.host.out, { recursive: true });
  const base = { sandboxId: "a1", memoryMib: 4, balloon: false, restoreMode: "copy" };
  const vm = { layout, config: { ...base, ...config } } as VmContext;
  const handler = (command: string, given: Record<string, unknown>, socket: Socket): unknown => {
    if (!(command in answers)) return new Error(`no such command: ${command}`);
    const answer = answers[command];
    return typeof answer === "function" ? (answer(given, socket) as unknown) : answer;
  };
  const operations = await startFakeQmp(layout.host.qmpOperations, { handler });
  const reads = await startFakeQmp(layout.host.qmpReads, { handler });
  context.after(() => operations[Symbol.asyncDispose]());
  context.after(() => reads[Symbol.asyncDispose]());
  return { vm, control: new QemuControl(vm), operations, reads };
}

test("ping says who answers, on the monitor for reads", async (context) => {
  const { control, operations } = await useControl(context, {
    "query-uuid": { UUID: "00000000-0000-4000-8000-000000000001" },
    "query-version": { qemu: { major: 7, minor: 2, micro: 22 }, package: "Debian" },
  });
  assert.deepEqual(await control.ping(LONG), {
    uuid: "00000000-0000-4000-8000-000000000001",
    version: "7.2.22",
  });
  assert.deepEqual(operations.commands, []);
});

for (const [command, answer] of [
  ["query-uuid", {}],
  ["query-uuid", null],
  ["query-uuid", { UUID: 7 }],
  ["query-version", { qemu: { major: "7" } }],
  ["query-version", 12],
] as const) {
  test(`${JSON.stringify(answer)} is no answer to ${command}`, async (context) => {
    const { control } = await useControl(context, {
      "query-uuid": { UUID: "x" },
      "query-version": { qemu: { major: 7, minor: 2, micro: 22 } },
      [command]: answer,
    });
    await assert.rejects(control.ping(LONG), { code: "HYPERVISOR_PROTOCOL", message: /query-/ });
  });
}

for (const [status, state] of [
  ["running", "running"],
  ["paused", "paused"],
  ["postmigrate", "paused"],
  ["prelaunch", "created"],
  ["inmigrate", "created"],
  ["shutdown", "none"],
  ["internal-error", "unknown"],
  ["toString", "unknown"],
] as const) {
  test(`QEMU's ${status} is ${state}`, async (context) => {
    const { control } = await useControl(context, { "query-status": { status } });
    assert.deepEqual(await control.info(LONG), { state, memoryActualBytes: 4 * MIB });
  });
}

test("info tells what the balloon leaves, and mistrusts nonsense", async (context) => {
  const answers = { "query-status": { status: "running" } };
  const config = { balloon: true };
  const good = await useControl(
    context,
    { ...answers, "query-balloon": { actual: 3 * MIB } },
    config,
  );
  assert.equal((await good.control.info(LONG)).memoryActualBytes, 3 * MIB);
  const bad = await useControl(context, { ...answers, "query-balloon": { actual: -1 } }, config);
  await assert.rejects(bad.control.info(LONG), {
    code: "HYPERVISOR_PROTOCOL",
    message: /query-balloon/,
  });
});

test("boot is cont, legal only for a guest that is prelaunch", async (context) => {
  const good = await useControl(context, { "query-status": { status: "prelaunch" }, cont: {} });
  await good.control.boot(LONG);
  assert.deepEqual(good.operations.commands, ["query-status", "cont"]);
  const bad = await useControl(context, { "query-status": { status: "shutdown" } });
  await assert.rejects(bad.control.boot(LONG), {
    code: "HYPERVISOR_ERROR",
    message: /is shutdown/,
  });
  assert.deepEqual(bad.operations.commands, ["query-status"]);
});

for (const [name, command, told, refused] of [
  ["pause", "stop", ["STOP"], [[]]],
  ["resume", "cont", ["RESUME"], [[], ["STOP", "RESUME"]]],
] as const) {
  test(`${name} is ${command}, and has happened only where QEMU tells so`, async (context) => {
    const telling = (events: readonly string[]): Answers => ({
      "query-status": { status: "shutdown" },
      [command]: (_given: unknown, socket: Socket) => {
        for (const event of events) socket.write(`${JSON.stringify({ event })}\n`);
        return {};
      },
    });
    const good = await useControl(context, telling(told));
    await good.control[name](LONG);
    assert.deepEqual(good.operations.commands, [command]);
    for (const events of refused) {
      const bad = await useControl(context, telling(events));
      await assert.rejects(bad.control[name](LONG), {
        code: "HYPERVISOR_ERROR",
        message: /is shutdown/,
      });
    }
  });
}

test("the balloon is asked for as the memory that is left", async (context) => {
  let value: unknown;
  const { control } = await useControl(context, {
    balloon: (given: Record<string, unknown>) => {
      value = given["value"];
      return {};
    },
  });
  await control.setBalloon(MIB, LONG);
  assert.equal(value, 3 * MIB);
  await control.setBalloon(0, LONG);
  assert.equal(value, 4 * MIB);
  for (const bytes of [-1, 4 * MIB, 1.5, Number.NaN]) {
    await assert.rejects(control.setBalloon(bytes, LONG), {
      code: "INVALID_ARGUMENT",
      message: /Balloon/,
    });
  }
  const without = await useControl(context, {});
  await assert.rejects(without.control.setBalloon(MIB, LONG), {
    code: "HYPERVISOR_ERROR",
    message: /no such command/,
  });
});

test("quit was asked even when the connection breaks, and nobody there is quit too", async (context) => {
  const { control, vm } = await useControl(context, {});
  await assert.rejects(control.quit(LONG), {
    code: "HYPERVISOR_ERROR",
    message: /no such command/,
  });
  const gone = await useControl(context, { quit: {} });
  await gone.control.quit(LONG);
  const layout = vmLayout(join(vm.layout.directory, "nowhere"), "api.sock", false);
  await new QemuControl({ ...vm, layout }).quit(LONG);
});

function saving(vm: () => VmContext, state: Buffer): Answers {
  return {
    "query-status": { status: "paused" },
    "xen-save-devices-state": ({ filename, live }: Record<string, unknown>) => {
      assert.equal(live, false);
      return writeFile(String(filename), state).then(() => ({}));
    },
    pmemsave: ({ val, size, filename }: Record<string, unknown>) => {
      const memory = readFileSync(join(vm().layout.directory, "guest-memory"));
      const piece = memory.subarray(Number(val), Number(val) + Number(size));
      return writeFile(String(filename), piece).then(() => ({}));
    },
  };
}

test("a snapshot is the devices and a sparse copy of the memory", async (context) => {
  const answers = saving(() => setup.vm, Buffer.from("QEVM and more"));
  const setup: Setup = await useControl(context, answers);
  const { host } = setup.vm.layout;
  const memory = Buffer.alloc(4 * MIB);
  memory.write("the guest's", MIB);
  await writeFile(host.memory, memory);
  assert.deepEqual(await setup.control.snapshot(LONG), {
    files: ["devices", "memory"],
    memory: { form: "file", file: "memory", bytes: 4 * MIB },
    wholeBecause: "the VM maps no snapshot's memory",
  });
  assert.ok((await readFile(join(host.out, "memory"))).equals(memory));
  assert.ok((await stat(join(host.out, "memory"))).blocks * 512 < MIB);
});

test("a shared clone's memory comes from QEMU, in pieces", async (context) => {
  const answers = saving(() => setup.vm, Buffer.from("QEVM and more"));
  const config = { restoreMode: "shared", snapshotDirectory: "/snap", memoryMib: 130 } as const;
  const setup: Setup = await useControl(context, answers, config);
  const memory = Buffer.alloc(130 * MIB);
  for (const at of [0, 65_536, 64 * MIB - 3, 100 * MIB, 130 * MIB - 3]) memory.write("abc", at);
  await writeFile(join(setup.vm.layout.directory, "guest-memory"), memory);
  await setup.control.snapshot(LONG);
  const { out } = setup.vm.layout.host;
  assert.ok((await readFile(join(out, "memory"))).equals(memory));
  assert.ok((await stat(join(out, "memory"))).blocks * 512 < MIB);
  assert.deepEqual((await readdir(out)).toSorted(), ["devices", "memory"]);
});

test("a snapshot of a running guest, or one without a state, fails", async (context) => {
  const running = await useControl(context, { "query-status": { status: "running" } });
  await assert.rejects(running.control.snapshot(LONG), {
    code: "HYPERVISOR_ERROR",
    message: /is running/,
  });
  const answers = saving(() => empty.vm, Buffer.from("nonsense"));
  const empty: Setup = await useControl(context, answers);
  await assert.rejects(empty.control.snapshot(LONG), {
    code: "SNAPSHOT_FAILED",
    message: /no device state/,
  });
});

/** The socket QEMU listens on for a restore. Collects what it gets. */
async function useIncoming(context: TestContext, vm: VmContext): Promise<{ text: string }> {
  const got = { text: "" };
  const server: Server = createServer((socket) => {
    socket.on("data", (chunk: Buffer) => {
      got.text += chunk.toString("utf8");
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(vm.layout.host.incoming, resolve);
  });
  context.after(() => server.close());
  return got;
}

async function sourceIn(directory: string): Promise<SnapshotSource> {
  await writeFile(join(directory, "devices"), "QEVM state");
  return { directory, mode: "copy", manifest: {} as SnapshotManifest };
}

test("a restore sends the device state, waits for its end and lets the guest run", async (context) => {
  let polls = 0;
  let state = "inmigrate";
  const { control, vm, operations } = await useControl(context, {
    "migrate-incoming": {},
    "query-migrate": () => {
      const complete = ++polls > 2 && got.text !== "";
      if (complete) state = "paused";
      return complete ? { status: "completed" } : { status: "active" };
    },
    "query-status": () => ({ status: state }),
    cont: {},
  });
  const got = await useIncoming(context, vm);
  await control.restore(await sourceIn(vm.layout.directory), LONG);
  assert.equal(got.text, "QEVM state");
  assert.equal(operations.commands.at(-1), "cont");
  assert.ok(!(await readdir(vm.layout.host.directory)).includes("in.sock"));
});

test("a restore that fails says why in QEMU's words", async (context) => {
  const { control, vm } = await useControl(context, {
    "migrate-incoming": {},
    "query-migrate": { status: "failed", "error-desc": "Unknown savevm section" },
  });
  await useIncoming(context, vm);
  await assert.rejects(control.restore(await sourceIn(vm.layout.directory), LONG), {
    code: "HYPERVISOR_ERROR",
    message: /Unknown savevm section/,
  });
});

test("a restore whose state cannot be sent fails", async (context) => {
  const { control, vm } = await useControl(context, {
    "migrate-incoming": {},
    "query-migrate": {},
  });
  await assert.rejects(control.restore(await sourceIn(vm.layout.directory), LONG), {
    code: "HYPERVISOR_ERROR",
    message: /Cannot send .*ENOENT/,
  });
});

test("a restore that never ends is a TIMEOUT, and leaves no socket", async (context) => {
  const { control, vm } = await useControl(context, {
    "migrate-incoming": {},
    "query-migrate": { status: "active" },
  });
  await useIncoming(context, vm);
  await assert.rejects(control.restore(await sourceIn(vm.layout.directory), { timeoutMs: 100 }), {
    code: "TIMEOUT",
    message: /query-migrate/,
  });
  assert.ok(!(await readdir(vm.layout.host.directory)).includes("in.sock"));
});
