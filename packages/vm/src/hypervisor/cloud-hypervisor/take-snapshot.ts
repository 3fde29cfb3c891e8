import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError, errorText } from "../../errors.ts";
import { takeBaseCopy } from "../base-copy.ts";
import type { CallOptions, SnapshotOutput, VmContext } from "../port.ts";
import type { ApiClient } from "./api-client.ts";
import { chainIncludes } from "./api-error.ts";
import { parseIdentity, parseInfoConfig } from "./api-answers.ts";
import { SNAPSHOT_FILES, publishSnapshot, readRangesMatchFile } from "./publish.ts";
import { memoryFileOf } from "./snapshot-config.ts";
import { OWN_MEMORY, openVmmMemory } from "../vmm-memory.ts";
import type { VmmMemory } from "../vmm-memory.ts";

/** While demand paging fills memory a snapshot is refused; there is no event at its end. */
const STILL_RESTORING = "on-demand memory restore is still in progress";

/** What a snapshot fails with when its memory file is there already: configuration and state are written by then. */
const MEMORY_FILE_EXISTS = "Error creating memory snapshot file";

const RETRY_MS = [20, 50, 100, 200, 500, 1000] as const;

/** One snapshot under way. */
interface Task {
  readonly context: VmContext;
  readonly client: ApiClient;
  readonly signal: AbortSignal;
  /** Milliseconds left, at least one. */
  readonly remainingMs: () => number;
  readonly openMemory: typeof openVmmMemory;
}

/**
 * Writes memory and device state of the paused VM into `layout.host.out`, restorable by any clone.
 *
 * Memory that is mapped privately from a snapshot's file is not written by Cloud Hypervisor, which would write all of it: what the guest changed is read
 * from its pages and written over a copy of the file, so that the VM stands still for what it wrote, not for its size. Where that cannot be done all is written.
 */
export async function takeSnapshot(
  context: VmContext,
  client: ApiClient,
  options: CallOptions,
  openMemory: typeof openVmmMemory = openVmmMemory,
): Promise<SnapshotOutput> {
  const deadline = performance.now() + options.timeoutMs;
  const limit = AbortSignal.timeout(options.timeoutMs);
  const task: Task = {
    context,
    client,
    signal: options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]),
    openMemory,
    remainingMs: () => Math.max(1, Math.ceil(deadline - performance.now())),
  };
  try {
    const wholeBecause = await saveChangedPages(task);
    if (wholeBecause !== undefined) await saveAll(task);
    const output = await publishSnapshot(context, task.signal);
    return wholeBecause === undefined ? output : { ...output, wholeBecause };
  } catch (error) {
    if (options.signal?.aborted === true) throw asAborted(error, options.signal);
    if (!limit.aborted || (error instanceof VirgaError && error.code === "TIMEOUT")) throw error;
    throw new VirgaError(
      "TIMEOUT",
      `Taking the snapshot took longer than ${options.timeoutMs} ms`,
      {
        cause: error,
        details: { timeoutMs: options.timeoutMs },
      },
    );
  }
}

function asAborted(error: unknown, signal: AbortSignal): unknown {
  return error instanceof VirgaError ? error : abortedError("taking a snapshot", signal);
}

function requestSnapshot({ client, context, signal, remainingMs }: Task): Promise<unknown> {
  const body = { destination_url: `file://${context.layout.inside.out}` };
  return client.call("PUT", "vm.snapshot", { timeoutMs: remainingMs(), signal, body });
}

/** Lets Cloud Hypervisor write all memory, as soon as demand paging has ended. */
async function saveAll(task: Task): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await requestSnapshot(task);
      return;
    } catch (error) {
      if (!chainIncludes(error, STILL_RESTORING)) throw error;
      const waitMs = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] ?? 1000;
      if (waitMs >= task.remainingMs()) throw stillRestoring(error);
      await sleep(waitMs, undefined, { signal: task.signal });
    }
  }
}

/** Saves state alone, and memory as a copy of the mapped file with the changed pages. Where that cannot be done nothing is left of it, and the reason is given. */
async function saveChangedPages(task: Task): Promise<string | undefined> {
  const memory = await mappedMemory(task);
  if (typeof memory === "string") return memory;
  const ranges = join(task.context.layout.host.out, SNAPSHOT_FILES.ranges);
  try {
    await saveState(task, ranges);
    if (!(await readRangesMatchFile(task.context)))
      return await giveUp(task.context, "its state does not lay memory out as the file does");
    await takeBaseCopy(task.context, memory.file, ranges, task.signal);
    await memory.process.copyPrivatePages(memory.segments, ranges, task.signal);
    return undefined;
  } catch (error) {
    if (task.signal.aborted || (error instanceof VirgaError && error.code !== "IO_ERROR"))
      throw error;
    return await giveUp(task.context, `the changed pages were not saved: ${errorText(error)}`);
  } finally {
    await memory.process.close();
  }
}

async function mappedMemory({
  client,
  context,
  signal,
  remainingMs,
  openMemory,
}: Task): Promise<VmmMemory | string> {
  const config = parseInfoConfig(
    await client.call("GET", "vm.info", { timeoutMs: remainingMs(), signal }),
  );
  const mapped = memoryFileOf(config);
  if (mapped === undefined || mapped.shared) return OWN_MEMORY;
  const { pid } = parseIdentity(
    await client.call("GET", "vmm.ping", { timeoutMs: remainingMs(), signal }),
  );
  return openMemory(context, pid, mapped.file, {
    socket: (paths) => paths.api,
    word: `path=${context.layout.inside.api}`,
  });
}

/** Makes Cloud Hypervisor write configuration and state but no memory: the file it would create for that is there already. */
async function saveState(task: Task, ranges: string): Promise<void> {
  await (await open(ranges, "wx")).close();
  try {
    await requestSnapshot(task);
  } catch (error) {
    if (!chainIncludes(error, MEMORY_FILE_EXISTS)) throw error;
  }
  await rm(ranges);
}

async function giveUp({ layout }: VmContext, why: string): Promise<string> {
  for (const name of Object.values(SNAPSHOT_FILES))
    await rm(join(layout.host.out, name), { force: true });
  return why;
}

function stillRestoring(cause: unknown): VirgaError {
  return new VirgaError(
    "TIMEOUT",
    "Cannot snapshot: Cloud Hypervisor has not filled the guest's memory on demand in time",
    {
      cause,
      hint: "Wait longer, or restore in mode `shared` or `copy` what will be snapshotted again.",
    },
  );
}
