import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, truncate, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { serveApi, testDirectory } from "../../../test/fake-api.ts";
import type { FakeCall } from "../../../test/fake-api.ts";
import { stateJson } from "../../../test/snapshot-state.ts";
import { testContext } from "../../../test/vm-context.ts";
import { VirgaError } from "../../errors.ts";
import type { SnapshotOutput, VmContext } from "../port.ts";
import { createApiClient } from "./api-client.ts";
import { takeSnapshot } from "./take-snapshot.ts";
import type { VmmMemory } from "../vmm-memory.ts";

const MIB = 1024 * 1024;

interface Scene {
  readonly vm: VmContext;
  readonly calls: FakeCall[];
  readonly zone: Record<string, unknown>;
  /** What the VMM refuses to make a snapshot for. */
  refusal: string | undefined;
  /** Written to `state.json`. */
  state: string;
  /** What opening the VMM's memory gives. */
  memory: VmmMemory | string;
  take(signal?: AbortSignal): Promise<SnapshotOutput>;
}

/** A paused clone of 1 MiB whose memory is mapped from `base`, on a VMM that writes all memory unless a file is in its way. */
async function paused(context: TestContext): Promise<Scene> {
  const vm = testContext(await testDirectory(context), true, { memoryMib: 1 });
  const { host } = vm.layout;
  await mkdir(host.out, { recursive: true });
  const base = join(vm.layout.directory, "base");
  await writeFile(base, "base memory");
  await truncate(base, MIB);
  const scene: Scene = {
    vm,
    calls: [],
    zone: { id: "memory", size: MIB, file: "/run/virga/vm/snapshot/memory", shared: false },
    refusal: undefined,
    state: stateJson([[0, MIB]]),
    memory: {
      file: base,
      segments: [],
      process: {
        copyPrivatePages: async (_segments, destination) => {
          await writeFile(destination, "PAGE", { flag: "r+" });
          return 1;
        },
        close: () => Promise.resolve(),
      },
    },
    take: (signal) =>
      takeSnapshot(vm, client, { timeoutMs: 10_000, signal }, () => Promise.resolve(scene.memory)),
  };
  const client = createApiClient(host.api);
  context.after(() => client.close());
  const config = (): unknown => ({ memory: { size: 0, zones: [scene.zone] }, payload: {} });
  const calls = await serveApi(context, host.api, (call, response) => {
    if (call.path.endsWith("vmm.ping")) response.end('{"build_version":"v53.0","pid":4321}');
    else if (call.path.endsWith("vm.info"))
      response.end(JSON.stringify({ config: config(), state: "Paused" }));
    else if (scene.refusal !== undefined) refuse(response, scene.refusal);
    else {
      void write(host.out, JSON.stringify(config()), scene.state).then((done) => {
        if (done) response.writeHead(204).end();
        else refuse(response, "Error creating memory snapshot file");
      });
    }
  });
  return Object.assign(scene, { calls });
}

function refuse(response: ServerResponse, why: string): void {
  response.writeHead(500).end(JSON.stringify(["Error from API", why]));
}

/** As the VMM does: configuration, state, then memory unless there is such a file. */
async function write(out: string, config: string, state: string): Promise<boolean> {
  await writeFile(join(out, "config.json"), config, { flag: "wx" });
  await writeFile(join(out, "state.json"), state, { flag: "wx" });
  const ranges = join(out, "memory-ranges");
  if (existsSync(ranges)) return false;
  await writeFile(ranges, "all memory");
  await truncate(ranges, MIB);
  return true;
}

const mappable = {
  files: ["config.json", "state.json", "memory"],
  memory: { form: "file", file: "memory", bytes: MIB },
} as const;

function count(calls: readonly FakeCall[], name: string): number {
  return calls.filter((call) => call.path.endsWith(name)).length;
}

async function memoryText(vm: VmContext): Promise<string> {
  return (await readFile(join(vm.layout.host.out, "memory"), "latin1")).slice(0, 11);
}

test("changed pages are written over a copy of the mapped file, and the VMM writes no memory", async (context) => {
  const scene = await paused(context);
  assert.deepEqual(await scene.take(), mappable);
  assert.equal(await memoryText(scene.vm), "PAGE memory");
  assert.equal(count(scene.calls, "vm.snapshot"), 1);
  assert.deepEqual((await readdir(scene.vm.layout.host.out)).toSorted(), [
    "config.json",
    "memory",
    "state.json",
  ]);
  assert.equal(
    await readFile(join(scene.vm.layout.host.out, "state.json"), "utf8"),
    stateJson([], [[0, MIB]]),
  );
});

test("a process that may not be looked at lets the VMM write all memory", async (context) => {
  const scene = await paused(context);
  scene.memory = "not allowed";
  assert.deepEqual(await scene.take(), { ...mappable, wholeBecause: "not allowed" });
  assert.equal(await memoryText(scene.vm), "all memory\u0000");
  assert.equal(count(scene.calls, "vm.snapshot"), 1);
});

test("a table that is not as expected lets the VMM write all memory, to be copied", async (context) => {
  const scene = await paused(context);
  scene.state = stateJson([[0, MIB / 2]]);
  const { memory, wholeBecause } = await scene.take();
  assert.match(wholeBecause ?? "", /as the file does/u);
  assert.deepEqual(memory, { form: "ranges", file: "memory-ranges", bytes: MIB });
  assert.equal(count(scene.calls, "vm.snapshot"), 2);
});

test("pages that cannot be read let the VMM write all memory", async (context) => {
  const scene = await paused(context);
  let closed = 0;
  scene.memory = {
    segments: [],
    file: join(scene.vm.layout.directory, "base"),
    process: {
      copyPrivatePages: () => Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" })),
      close: async () => void closed++,
    },
  };
  assert.deepEqual(await scene.take(), {
    ...mappable,
    wholeBecause: "the changed pages were not saved: EIO",
  });
  assert.equal(await memoryText(scene.vm), "all memory\u0000");
  assert.equal(closed, 1);
});

test("memory that is anonymous or mapped shared is not looked for in the process", async (context) => {
  for (const change of [{ file: undefined }, { shared: true }]) {
    const scene = await paused(context);
    Object.assign(scene.zone, change);
    await writeFile(scene.vm.layout.host.memory, "own file");
    await truncate(scene.vm.layout.host.memory, MIB);
    assert.match((await scene.take()).wholeBecause ?? "", /maps no snapshot's memory/u);
    assert.equal(count(scene.calls, "vmm.ping"), 0);
  }
});

test("a refusal for another reason is the error, and is not tried again", async (context) => {
  const scene = await paused(context);
  scene.refusal = "Trying to snapshot while VM is running";
  await assert.rejects(
    scene.take(),
    (error) => error instanceof VirgaError && error.code === "HYPERVISOR_ERROR",
  );
  assert.equal(count(scene.calls, "vm.snapshot"), 1);
});

test("an abort while pages are read is ABORTED", async (context) => {
  const scene = await paused(context);
  const abort = new AbortController();
  scene.memory = {
    segments: [],
    file: join(scene.vm.layout.directory, "base"),
    process: {
      copyPrivatePages: (_segments, _destination, signal) => {
        abort.abort("enough");
        signal.throwIfAborted();
        return Promise.resolve(0);
      },
      close: () => Promise.resolve(),
    },
  };
  await assert.rejects(
    scene.take(abort.signal),
    (error) => error instanceof VirgaError && error.code === "ABORTED" && error.cause === "enough",
  );
});
