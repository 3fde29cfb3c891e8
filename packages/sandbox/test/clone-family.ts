import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentClient, GuestProcess } from "@virga/guest";
import { patientMs } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import { Timings, findImage } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import type { HypervisorName, VmConfig } from "@virga/vm";
import { bootGuest } from "../src/guest/boot-guest.ts";
import type { Guest } from "../src/guest/boot-guest.ts";
import { agentOf, identityOf } from "../src/guest/guest-agent.ts";
import { planTemplate } from "../src/templates/template-plan.ts";
import { testHost } from "./test-host.ts";

const MORE_LINES = 20;
/** What a guest writes to its console while it draws some ten lines. */
const ALONE_BYTES = 30;

// The time, in nanoseconds, comes first: what was drawn before the freeze has the same time and the same bytes in every clone; what was drawn after it has a time of
// its own.
// Without a fork, so that many are drawn before the kernel reseeds by itself. Each line shows on the console too, which can be watched without a word to the
// guest: what the agent does for the host draws as well, at other moments in each clone.
const DRAW = `uuid=/proc/sys/kernel/random/uuid; i=0; exec 3> /dev/console; while :; do
  { read -r _; read -r _; read -r _ _ now _; } < /proc/timer_list
  read -r a < $uuid; read -r b < $uuid
  i=$((i+1)); echo "$i $now $a$b" >> /tmp/log; echo . >&3
done`;

/** A guest that draws random bytes all the time, and how its clones are made. */
export interface CloneFamily extends AsyncDisposable {
  readonly host: Host;
  readonly parent: Guest;
  readonly clone: Omit<VmConfig, "sandboxId">;
}

/** How clones are made: as the contract says, or with a part of it taken out. */
export interface CloneContract {
  readonly freeze: boolean;
  readonly reseed: boolean;
  readonly clones: number;
}

/** Boots the parent on a hypervisor, and waits until it has begun to draw. */
export async function bootFamily(
  place: TestPlace,
  hypervisorName: HypervisorName,
): Promise<CloneFamily> {
  const host = await testHost(place);
  const hypervisor = host.choose(hypervisorName);
  const image = await findImage("busybox", host.home.images);
  const shape = { image, diskMib: 64, vcpus: 1, memoryMib: 128, hypervisor };
  const plan = await planTemplate(host, shape);
  const calls = { launchMs: patientMs(30_000), callMs: patientMs(30_000) };
  const patient = (config: typeof plan.boot) => ({
    ...config,
    timeouts: { ...config.timeouts, ...calls },
  });
  const parent = await bootGuest(
    host,
    { ...patient(plan.boot), sandboxId: "parent" },
    hypervisor.accelerator,
    new Timings(),
    undefined,
  );
  await using undo = new AsyncDisposableStack();
  undo.use(parent.vm);
  undo.use(parent.agent);
  await parent.agent.init(identityOf(parent.vm.id));
  await parent.agent.exec(["sh", "-c", DRAW], { detach: true, stdin: false });
  while ((await text(parent.agent, "cat /tmp/log 2>/dev/null || :")) === "");
  const kept = undo.move();
  return {
    host,
    parent,
    clone: patient(plan.clone),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function text(agent: AgentClient, script: string): Promise<string> {
  const process: GuestProcess = await agent.exec(["sh", "-c", script], { stdin: false });
  const [stdout, stderr, exit] = await Promise.all([
    textOf(process.stdout),
    textOf(process.stderr),
    process.exited,
  ]);
  assert.equal(exit.code, 0, stderr);
  return stdout;
}

const countLines = async (agent: AgentClient): Promise<number> =>
  Number(await text(agent, "wc -l < /tmp/log"));

async function consoleBytes(host: Host, id: string): Promise<number> {
  const { size } = await stat(join(host.home.vms, id, "run", "console.log"));
  // It begins with a hole of a multiple of what it may take.
  return size % (16 * 2 ** 20);
}

/** Waits until a guest has drawn some lines since its console was `from` bytes long, without a word to it. */
async function drawsAlone(host: Host, id: string, from: number): Promise<void> {
  while ((await consoleBytes(host, id)) < from + ALONE_BYTES) await sleep(5);
}

/** Waits until the guest has drawn more, and gives its log. */
async function moreLines(agent: AgentClient, more: number): Promise<string[]> {
  const before = await countLines(agent);
  while ((await countLines(agent)) < before + more);
  const lines = (await text(agent, "cat /tmp/log")).split("\n");
  // The last one is not whole yet.
  lines.pop();
  return lines;
}

/** Values that stand in two of the logs after what is common to all of them. */
function repeated(logs: readonly (readonly string[])[]): string[] {
  const [first = []] = logs;
  const differs = first.findIndex((line, index) => logs.some((log) => log[index] !== line));
  assert.ok(differs > 0, "all logs begin with what the parent drew before");
  const seen = new Map<string, number>();
  for (const log of logs) {
    const drawn = log.slice(differs);
    assert.ok(drawn.length > 0);
    for (const line of drawn) {
      const [, value = ""] = /^\d+ \d{9,} ([0-9a-f-]{72})$/.exec(line) ?? assert.fail(line);
      seen.set(value, (seen.get(value) ?? 0) + 1);
    }
  }
  return [...seen].filter(([, count]) => count > 1).map(([value]) => value);
}

/** Takes a snapshot of the running parent, lets it go on, and gives what two of it and its clones drew both. */
export async function drawnTwice(
  family: CloneFamily,
  name: string,
  contract: CloneContract,
): Promise<string[]> {
  const { host, parent } = family;
  const { vm, agent } = parent;
  const directory = join(host.home.state, `snapshot-${name}`);
  if (contract.freeze) await agent.prepare();
  else await agent.reset();
  await host.manager.pause(vm.id);
  await host.manager.snapshot(vm.id, directory);
  const silent = await consoleBytes(host, vm.id);
  await host.manager.resume(vm.id);
  if (contract.freeze) await agent.thaw();
  await drawsAlone(host, vm.id, silent);
  const logs = [await moreLines(agent, MORE_LINES)];
  for (let index = 0; index < contract.clones; index++) {
    const id = `${name}-${index}`;
    const config = { ...family.clone, sandboxId: id };
    await using clone = await host.manager.createFromSnapshot(config, directory);
    await using guest = agentOf(clone, host);
    // What is not frozen runs on before the host can speak.
    if (!contract.freeze) await drawsAlone(host, id, 0);
    const before = await consoleBytes(host, id);
    if (contract.reseed) await guest.init(identityOf(id));
    else await guest.thaw();
    await drawsAlone(host, id, before);
    logs.push(await moreLines(guest, MORE_LINES));
  }
  return repeated(logs);
}
