import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Vm } from "@virga/vm";
import { agentOf, tellWhoItIs } from "../guest/guest-agent.ts";
import type { SandboxIntent, SandboxRow } from "../catalog/rows.ts";
import { namesIn } from "../names-in.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { dropSnapshot } from "../snapshots/remove-snapshot.ts";
import { destroyedError } from "../guest/vm-death.ts";
import { endVm } from "./end-vm.ts";
import { findVm } from "./find-vm.ts";
import type { LifeTools } from "./life-tools.ts";
import { settledState } from "./sandbox-state.ts";
import type { SandboxState } from "./sandbox-state.ts";

/** A sandbox that nobody else works on, and in which nothing is left undone. */
export interface SettledSandbox {
  readonly row: SandboxRow;
  /** Of a living sandbox; one whose hypervisor has ended is `failed`. */
  readonly vm: Vm | undefined;
  readonly state: SandboxState;
}

/**
 * Finishes or takes back what an operation left undone: its process died, or it failed. To be called under the sandbox's lock, for one that is neither being
 * made nor destroyed (`VM_DESTROYED`). May be cut anywhere, also by the signal, and called again.
 */
export async function settleSandbox(
  tools: LifeTools,
  id: string,
  signal?: AbortSignal,
): Promise<SettledSandbox> {
  const row = tools.catalog.sandboxes.get(id);
  if (row === undefined || row.phase === "creating" || row.phase === "destroying") {
    throw destroyedError(id, "use the sandbox");
  }
  const settled =
    row.phase === "suspended"
      ? await settleSuspended(tools, row)
      : await settleLive(tools, row, signal);
  const { vm } = settled;
  return { ...settled, state: settledState(settled.row, vm) };
}

type Found = Omit<SettledSandbox, "state">;

/** Its memory is on disk, whole: a VM of it is one that was being suspended, or was being restored and has run nothing yet. */
async function settleSuspended(tools: LifeTools, row: SandboxRow): Promise<Found> {
  if (row.intent === null) return { row, vm: undefined };
  await endVm(tools, row.id);
  await dropGenerations(tools, row);
  return { row: changeRow(tools, row, { intent: null }), vm: undefined };
}

async function settleLive(
  tools: LifeTools,
  row: SandboxRow,
  signal: AbortSignal | undefined,
): Promise<Found> {
  const { id, intent, pendingThaw } = row;
  const vm = await findVm(tools, id);
  const isAlive = vm !== undefined && vm.state !== "failed" && vm.state !== "stopped";
  if (pendingThaw === "init") return settleRestored(tools, row, isAlive ? vm : undefined, signal);
  if (intent?.kind === "snapshot") await dropSnapshot(tools, intent.snapshot);
  if (intent?.kind === "suspend") await dropGenerations(tools, row);
  if (!isAlive) {
    const done = intent === null && pendingThaw === "none";
    const change = { intent: null, pendingThaw: "none" } as const;
    return { row: done ? row : changeRow(tools, row, change), vm };
  }
  if (pendingThaw === "none") {
    return { row: intent === null ? row : changeRow(tools, row, { intent: null }), vm };
  }
  // Who was paused before stays so. A pause that was not finished is taken back.
  const staysPaused = intent === null || intent.kind === "resume" || wasPaused(intent);
  if (vm.state === "paused" && staysPaused) {
    return { row: intent === null ? row : changeRow(tools, row, { intent: null }), vm };
  }
  const abort = { ...(signal && { signal }) };
  if (vm.state === "paused") await tools.manager.resume(id, abort);
  await thaw(tools, vm, signal);
  return {
    row: changeRow(tools, row, { intent: null, pendingThaw: "none" }),
    vm,
  };
}

/**
 * A guest that was restored from its suspended state, and may not have been told yet who it is. As long as it surely is frozen, nothing was written, and it can go
 * back there; when its VM has ended meanwhile, nobody can tell any more.
 */
async function settleRestored(
  tools: LifeTools,
  row: SandboxRow,
  vm: Vm | undefined,
  signal: AbortSignal | undefined,
): Promise<Found> {
  const change = { intent: null, pendingThaw: "none" } as const;
  if (vm === undefined) return { row: changeRow(tools, row, change), vm };
  try {
    const abort = { ...(signal && { signal }) };
    if (vm.state === "paused") await tools.manager.resume(row.id, abort);
    await initGuest(tools, row, vm, signal);
  } catch (error) {
    // Who only gave up waiting decides nothing.
    if (signal?.aborted === true || !(await isFrozen(tools, vm))) throw error;
    tools.logger.warn({ sandbox: row.id, error }, "a resume cannot be finished; suspended again");
    await endVm(tools, row.id);
    return { row: changeRow(tools, row, { ...change, phase: "suspended" }), vm: undefined };
  }
  return { row: changeRow(tools, row, change), vm };
}

function wasPaused(intent: SandboxIntent): boolean {
  return (intent.kind === "suspend" || intent.kind === "snapshot") && intent.wasPaused;
}

async function isFrozen(tools: LifeTools, vm: Vm): Promise<boolean> {
  await using agent = agentOf(vm, tools);
  return agent.ping().then(
    ({ prepared }) => prepared,
    () => false,
  );
}

function changeRow(
  { catalog }: LifeTools,
  row: SandboxRow,
  change: Partial<Omit<SandboxRow, "id">>,
): SandboxRow {
  catalog.sandboxes.update(row.id, change);
  return { ...row, ...change };
}

/** Lets what runs in the guest run again. */
export async function thaw(tools: LifeTools, vm: Vm, signal?: AbortSignal): Promise<void> {
  await using agent = agentOf(vm, tools);
  await agent.thaw({ ...(signal && { signal }) });
}

/** Tells a restored guest who it is, which lets what runs in it run again. */
export async function initGuest(
  tools: LifeTools,
  row: SandboxRow,
  vm: Vm,
  signal?: AbortSignal,
): Promise<void> {
  await using agent = agentOf(vm, tools);
  await tellWhoItIs(agent, tools, row.spec, signal);
}

/** Removes suspended states that are not the sandbox's memory now: older ones, and one that was not finished. */
export async function dropGenerations(
  { home }: Pick<LifeTools, "home">,
  row: Pick<SandboxRow, "id" | "suspended">,
): Promise<void> {
  const { directory } = sandboxPaths(home, row.id);
  for (const name of await namesIn(directory)) {
    const generation = /^suspended-(\d+)$/u.exec(name)?.[1];
    if (generation === undefined || Number(generation) === row.suspended) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}
