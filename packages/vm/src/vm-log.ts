import type { FileHandle } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { stat } from "node:fs/promises";
import { VirgaError, errnoOf, errorText } from "./errors.ts";
import { DEFAULT_SOCKET_NAME, vmLayout } from "./directory.ts";
import { openPlainFile } from "./open-plain-file.ts";
import { outputStart } from "./output-file.ts";

const POLL_MS = 100;
const PIECE_BYTES = 65_536;

/** What a VM writes: its guest's console, or what its hypervisor says. */
export type VmLogName = "console" | "hypervisor";

/** How to read a log. */
export interface VmLogOptions {
  /** Goes on with what is added, until the VM is removed or the signal. Default false. */
  readonly follow?: boolean;
  /** Begins so many bytes before the end of what is written. Default: at the beginning. */
  readonly lastBytes?: number;
  /** Ends the reading, without an error. */
  readonly signal?: AbortSignal;
}

/** Reads a log of a VM, given its directory. Nothing when there is none. `IO_ERROR` when it cannot be read, or the hypervisor put something else in its place. */
export async function* readVmLog(
  directory: string,
  name: VmLogName,
  options: VmLogOptions = {},
): AsyncGenerator<Buffer> {
  const { follow = false, lastBytes = Number.POSITIVE_INFINITY, signal } = options;
  const { host } = vmLayout(directory, DEFAULT_SOCKET_NAME, false);
  const path = name === "console" ? host.console : host.log;
  const file = await openLog(path);
  if (file === undefined) return;
  try {
    const { size } = await file.stat();
    let offset = Math.max(await outputStart(file), size - lastBytes);
    // As long as it is there when what was written has been read.
    for (let isLast = !follow; signal?.aborted !== true;) {
      const { bytesRead, buffer } = await file.read(
        Buffer.allocUnsafe(PIECE_BYTES),
        0,
        PIECE_BYTES,
        offset,
      );
      offset += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      else if (isLast) return;
      else if (await isThere(path))
        await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
      else isLast = true;
    }
  } finally {
    await file.close();
  }
}

async function openLog(path: string): Promise<FileHandle | undefined> {
  try {
    return await openPlainFile(path);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    if (cause instanceof VirgaError) throw cause;
    throw new VirgaError("IO_ERROR", `Cannot read ${path}: ${errorText(cause)}`, {
      cause,
      details: { path },
    });
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
