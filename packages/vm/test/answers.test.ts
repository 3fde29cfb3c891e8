import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { askFakeGuest, rejectsWithCode, type Behaviour, type CallRule } from "@virga/testkit";
import { isVirgaError, type VirgaErrorCode } from "../src/errors.ts";
import { assertNothing, testOnFakes } from "./with-fake.ts";

const MIB = 2 ** 20;

const exits: Behaviour = { start: { do: "exit", code: 1, message: "no luck today" } };
testOnFakes("one that exits at once is told with its last words", exits, async (bench) => {
  const error = await rejectsWithCode(bench.boot("vm"), "HYPERVISOR_EXITED");
  assert.equal(error.details["step"], "wait for socket");
  assert.match(String(error.details["logTail"]), /no luck today/);
  assertNothing(bench);
});

const leaves: Behaviour = { start: { do: "exit", code: 0, message: "nothing to do" } };
testOnFakes("one that exits at once without a fault has failed as well", leaves, async (bench) => {
  const error = await rejectsWithCode(bench.boot("vm"), "HYPERVISOR_EXITED");
  assert.equal(error.details["step"], "wait for socket");
  assert.match(String(error.details["logTail"]), /nothing to do/);
  assertNothing(bench);
});

testOnFakes(
  "one that never opens its socket is a time-out",
  { start: { do: "no-socket" } },
  async (bench) => {
    const error = await rejectsWithCode(
      bench.boot("vm", { timeouts: { launchMs: 1000 } }),
      "TIMEOUT",
    );
    assert.equal(error.details["step"], "wait for socket");
    assertNothing(bench);
  },
);

/** How the first call, and any call, can go wrong. */
const wrong: { name: string; rule: CallRule; codes: VirgaErrorCode[] }[] = [
  { name: "never answers", rule: { do: "hang" }, codes: ["TIMEOUT"] },
  { name: "answers garbage", rule: { do: "garbage" }, codes: ["HYPERVISOR_PROTOCOL"] },
  {
    name: "answers a gigabyte",
    rule: { do: "flood", bytes: 1024 * MIB },
    codes: ["HYPERVISOR_PROTOCOL"],
  },
  {
    name: "closes in the middle of its answer",
    rule: { do: "cut" },
    codes: ["HYPERVISOR_EXITED", "HYPERVISOR_PROTOCOL", "TIMEOUT"],
  },
];
for (const { name, rule, codes } of wrong) {
  // Short only where the time-out is what is waited for.
  const timeouts = codes.includes("TIMEOUT") ? { launchMs: 1000, callMs: 1000 } : {};
  testOnFakes(`one that ${name} from the start`, { calls: { "*": rule } }, async (bench) => {
    const failing = bench.boot("vm", { timeouts });
    const error: unknown = await failing.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(isVirgaError(error), String(error));
    assert.ok(codes.includes(error.code), error.message);
    assertNothing(bench);
  });

  testOnFakes(`one that ${name} when it is paused`, {}, async (bench) => {
    const { manager, fake } = bench;
    const vm = await bench.boot("vm", { timeouts });
    fake.set({ calls: { pause: rule } });
    const failing = manager.pause("vm");
    const error: unknown = await failing.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(isVirgaError(error), String(error));
    assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
    assert.equal(error.details["step"], "pause");
    fake.set({});
    await vm.destroy();
    assertNothing(bench);
  });
}

testOnFakes(
  "one that answers slowly is waited for",
  { calls: { "*": { do: "slow", delayMs: 30 } } },
  async ({ boot, manager }) => {
    await using vm = await boot("vm");
    await manager.pause("vm");
    assert.equal(vm.state, "paused");
  },
);

const chain = ["Error from API", "outer cause", "inner cause"];
testOnFakes(
  "a refused boot keeps the hypervisor's words and leaves nothing",
  { calls: { boot: { do: "refuse", chain } } },
  async (bench) => {
    const error = await rejectsWithCode(bench.boot("vm"), "HYPERVISOR_ERROR", /inner cause/);
    assert.equal(error.details["step"], "boot");
    assert.match(String(error.details["chain"]), /outer cause.*inner cause/);
    assertNothing(bench);
  },
);

testOnFakes(
  "a refused pause or snapshot leaves the VM as it was",
  {},
  async ({ boot, manager, fake, place }) => {
    await using vm = await boot("vm");
    fake.set({ calls: { pause: { do: "refuse", chain } } });
    await rejectsWithCode(manager.pause("vm"), "HYPERVISOR_ERROR", /inner cause/);
    assert.equal(vm.state, "running");
    await manager.pause("vm").catch(() => undefined);
    fake.set({ calls: { snapshot: { do: "refuse", chain } } });
    await manager.pause("vm");
    const snapshot = join(place.scratch, "snapshot");
    await rejectsWithCode(manager.snapshot("vm", snapshot), "HYPERVISOR_ERROR", /inner cause/);
    assert.equal(vm.state, "paused");
    assert.deepEqual(
      readdirSync(place.scratch).filter((name) => /snapshot/.test(name)),
      [],
    );
    fake.set({});
    await manager.snapshot("vm", snapshot);
    await manager.resume("vm");
    assert.equal(await askFakeGuest(vm, "ping"), "pong");
  },
);

testOnFakes(
  "a flood of log does not stop it, and its tail is bounded",
  { logFloodBytes: 8 * MIB },
  async ({ boot }) => {
    await using vm = await boot("vm");
    assert.equal(await askFakeGuest(vm, "ping"), "pong");
    process.kill(vm.pid, "SIGKILL");
    const { logTail } = await vm.exited;
    assert.match(logTail, /flood/);
    assert.ok(Buffer.byteLength(logTail) <= 4096);
  },
);

testOnFakes(
  "a guest that does not listen is a time-out, not a hang",
  { deafGuest: true },
  async ({ boot, fake }) => {
    await using vm = await boot("vm");
    if (fake.name === "qemu") return; // Its ports connect always: the agent's handshake finds out.
    await rejectsWithCode(vm.connectGuest({ timeoutMs: 200 }), "TIMEOUT", /agent/);
  },
);
