import assert from "node:assert/strict";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import type { ServerResponse } from "node:http";
import { serveApi, serveSocket, testDirectory } from "../../../test/fake-api.ts";
import type { FakeCall } from "../../../test/fake-api.ts";
import { stateJson } from "../../../test/snapshot-state.ts";
import { testContext, testSource } from "../../../test/vm-context.ts";
import { VirgaError } from "../../errors.ts";
import type { HypervisorControl, VmContext } from "../port.ts";
import { createControl } from "./control.ts";
import { vmConfigJson } from "./vm-config-json.ts";

const MIB = 1024 * 1024;
const soon = { timeoutMs: 10_000 };

async function setUp(
  context: TestContext,
  answer: (call: FakeCall, response: ServerResponse, vm: VmContext) => void,
): Promise<{ vm: VmContext; control: HypervisorControl; calls: FakeCall[] }> {
  const vm = testContext(await testDirectory(context), false, { memoryMib: 1 });
  await mkdir(vm.layout.host.out, { recursive: true });
  const calls = await serveApi(context, vm.layout.host.api, (call, response) =>
    answer(call, response, vm),
  );
  const control = createControl(vm);
  context.after(() => control.close());
  return { vm, control, calls };
}

const accept = (_call: FakeCall, response: ServerResponse): void =>
  void response.writeHead(204).end();

function refuse(response: ServerResponse, status: number, ...chain: string[]): void {
  response.writeHead(status).end(JSON.stringify(["Error from API", ...chain]));
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof VirgaError && error.code === code;
}

test("each operation is one call", async (context) => {
  const { vm, control, calls } = await setUp(context, accept);
  await control.create(soon);
  await control.boot(soon);
  await control.pause(soon);
  await control.setBalloon(64 * MIB, soon);
  await control.resume(soon);
  await control.restore(testSource(vm, "/snapshots/a", "on-demand", "ranges"), soon);
  await control.quit(soon);
  assert.deepEqual(
    calls.map(({ method, path, body }) => [
      method,
      path.slice("/api/v1/".length),
      body === "" ? undefined : JSON.parse(body),
    ]),
    [
      ["PUT", "vm.create", vmConfigJson(vm)],
      ["PUT", "vm.boot", undefined],
      ["PUT", "vm.pause", undefined],
      ["PUT", "vm.resize", { desired_balloon: 64 * MIB }],
      ["PUT", "vm.resume", undefined],
      [
        "PUT",
        "vm.restore",
        {
          source_url: `file://${join(vm.layout.host.directory, "restore")}`,
          memory_restore_mode: "OnDemand",
          resume: true,
        },
      ],
      ["PUT", "vmm.shutdown", undefined],
    ],
  );
});

test("who answers, and what its VM is", async (context) => {
  let info: unknown;
  const { control } = await setUp(context, (call, response) => {
    if (call.path.endsWith("vmm.ping")) {
      response.end(
        '{"build_version":"v53.0-dirty","version":"53.0.0","pid":1234,"features":["kvm"]}',
      );
    } else response.end(JSON.stringify(info));
  });
  assert.deepEqual(await control.ping(soon), { pid: 1234, version: "v53.0-dirty" });
  for (const [state, expected] of [
    ["Created", "created"],
    ["Shutdown", "created"],
    ["Running", "running"],
    ["Paused", "paused"],
    ["BreakPoint", "unknown"],
    ["Dreaming", "unknown"],
  ]) {
    info = { config: {}, state, memory_actual_size: 7 };
    assert.deepEqual(await control.info(soon), { state: expected, memoryActualBytes: 7 });
  }
  info = { state: "Running" };
  assert.deepEqual(await control.info(soon), { state: "running" });
});

test("a VMM without a VM is no error, by whatever status it says so", async (context) => {
  let status = 404;
  const { control } = await setUp(context, (_call, response) =>
    refuse(response, status, "The VM info is not available", "VM is not created"),
  );
  assert.deepEqual(await control.info(soon), { state: "none" });
  status = 500;
  assert.deepEqual(await control.info(soon), { state: "none" });
});

test("answers of another form are refused", async (context) => {
  let answer = "";
  const { control } = await setUp(context, (_call, response) => void response.end(answer));
  for (answer of [
    "",
    "[]",
    "7",
    '{"build_version":7,"pid":1}',
    '{"build_version":"v53.0","pid":-1}',
    '{"state":3}',
  ]) {
    await assert.rejects(control.ping(soon), hasCode("HYPERVISOR_PROTOCOL"), answer);
    await assert.rejects(control.info(soon), hasCode("HYPERVISOR_PROTOCOL"), answer);
  }
});

test("a refused operation keeps its chain", async (context) => {
  const { control } = await setUp(context, (_call, response) =>
    refuse(
      response,
      500,
      "The VM could not be paused",
      "invalid VM state transition: Paused to Paused",
    ),
  );
  await assert.rejects(control.pause(soon), (error) => {
    assert.ok(error instanceof VirgaError);
    assert.equal(error.code, "HYPERVISOR_ERROR");
    assert.deepEqual(error.details["chain"], [
      "Error from API",
      "The VM could not be paused",
      "invalid VM state transition: Paused to Paused",
    ]);
    return true;
  });
});

test("on-demand without userfaultfd is unsupported", async (context) => {
  const { vm, control } = await setUp(context, (_call, response) =>
    refuse(
      response,
      500,
      "The VM could not be restored",
      "On-demand restore failed",
      "Failed to create userfaultfd",
      "Operation not permitted (os error 1)",
    ),
  );
  await assert.rejects(
    control.restore(testSource(vm, "/s", "on-demand", "ranges"), soon),
    hasCode("UNSUPPORTED"),
  );
});

test("a VMM that is gone before its answer has been asked to quit", async (context) => {
  const vm = testContext(await testDirectory(context), false);
  await mkdir(vm.layout.host.directory);
  const control = createControl(vm);
  context.after(() => control.close());
  // Nobody there at all.
  await control.quit(soon);
  await serveSocket(
    context,
    vm.layout.host.api,
    (socket) => void socket.once("data", () => socket.destroy()),
  );
  await control.quit(soon);
  await assert.rejects(control.pause(soon), hasCode("HYPERVISOR_EXITED"));
});

/** What `vm.info` tells of a VM with anonymous memory. */
const anonymous = JSON.stringify({ state: "Paused", config: { memory: { size: MIB } } });

/** Writes what the VMM would. */
async function writeSnapshot(vm: VmContext): Promise<void> {
  const { out } = vm.layout.host;
  await writeFile(join(out, "config.json"), JSON.stringify({ memory: { size: MIB }, payload: {} }));
  await writeFile(join(out, "state.json"), stateJson([[0, MIB]]));
  await writeFile(join(out, "memory-ranges"), "");
  await truncate(join(out, "memory-ranges"), MIB);
}

test("a snapshot waits for demand paging to end, then is published", async (context) => {
  let refusals = 2;
  const { vm, control, calls } = await setUp(context, (call, response, own) => {
    if (call.path.endsWith("vm.info")) response.end(anonymous);
    else if (refusals-- > 0) {
      refuse(
        response,
        500,
        "The VM could not be snapshotted",
        "VM on-demand memory restore is still in progress",
      );
    } else void writeSnapshot(own).then(() => response.writeHead(204).end());
  });
  assert.deepEqual(await control.snapshot(soon), {
    files: ["config.json", "state.json", "memory-ranges"],
    memory: { form: "ranges", file: "memory-ranges", bytes: MIB },
    wholeBecause: "the VM maps no snapshot's memory",
  });
  assert.equal(calls.length, 4);
  assert.deepEqual(JSON.parse(calls[1]?.body ?? ""), {
    destination_url: `file://${vm.layout.host.out}`,
  });
});

test("demand paging that does not end is a time-out that says so", async (context) => {
  const { control } = await setUp(context, (call, response) => {
    if (call.path.endsWith("vm.info")) response.end(anonymous);
    else
      refuse(
        response,
        500,
        "The VM could not be snapshotted",
        "VM on-demand memory restore is still in progress",
      );
  });
  await assert.rejects(control.snapshot({ timeoutMs: 100 }), (error) => {
    assert.ok(error instanceof VirgaError);
    assert.equal(error.code, "TIMEOUT");
    assert.match(error.message, /filled the guest's memory on demand/u);
    return true;
  });
  const abort = new AbortController();
  setImmediate(() => abort.abort());
  await assert.rejects(
    control.snapshot({ timeoutMs: 60_000, signal: abort.signal }),
    hasCode("ABORTED"),
  );
});

test("another refusal of a snapshot is not repeated", async (context) => {
  const { control, calls } = await setUp(context, (call, response) => {
    if (call.path.endsWith("vm.info")) response.end(anonymous);
    else
      refuse(
        response,
        500,
        "The VM could not be snapshotted",
        "Trying to snapshot while VM is running",
      );
  });
  await assert.rejects(control.snapshot(soon), hasCode("HYPERVISOR_ERROR"));
  assert.equal(calls.length, 2);
});
