import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { DEFAULT_TIMEOUTS } from "./config/defaults.ts";
import type { ResolvedVmConfig, RestoreMode } from "./config/vm-config.ts";
import { pausedMark } from "./directory.ts";
import { VirgaError, errnoOf } from "./errors.ts";
import type { HypervisorBuild } from "./hypervisor/port.ts";
import type { KernelIdentity } from "./kernel-identity.ts";
import type { ProcessIdentity } from "./launch/process-identity.ts";
import { writeFileAtomic } from "./write-file-atomic.ts";

/** Version of the record's form. A record of a newer form is refused, never guessed at. */
export const RECORD_FORMAT = 1;

const PAUSED = "1";
const NOT_PAUSED = "0";

/** `vm.json`: what another process needs to find, check and use a VM. The truth about processes. */
export interface VmRecord {
  readonly format: typeof RECORD_FORMAT;
  readonly id: string;
  /** `creating` until the VM is whole; a VM found in this phase without a living creator is removed. */
  readonly phase: "creating" | "ready";
  readonly createdAt: string;
  readonly config: ResolvedVmConfig;
  readonly build: HypervisorBuild;
  readonly isolated: boolean;
  readonly uuid: string;
  /** The kernel in the guest; absent where it is not known: its file could not be read, or an earlier version started the VM. */
  readonly kernel?: KernelIdentity;
  /** The VMM's process; absent until it was spawned. */
  readonly process?: ProcessIdentity;
  readonly restore?: {
    readonly mode: RestoreMode;
    readonly reason: string;
    readonly directory: string;
  };
  /** Last state an operation left behind, for readers that cannot ask the VMM. */
  readonly state: "creating" | "running" | "paused" | "failed";
  /** Milliseconds per step of the creation. */
  readonly timings: Readonly<Record<string, number>>;
}

/** Writes the record so that a reader sees the old one or the new one. Only the first one need outlive a power cut: the processes it tells of do not. */
export async function writeRecord(
  path: string,
  record: VmRecord,
  options: { readonly durable: boolean },
): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(record, undefined, 2)}\n`, options);
}

/**
 * Notes beside the record whether the VM is paused, by one byte that is overwritten: pause and resume would else replace the record each time, and to
 * replace a file a file system may have to wait for the disk (ext4: 0.3 to 4 ms instead of 0.01). Where the byte is there already, a full disk does not matter.
 * `IO_ERROR` when it cannot be written.
 */
export function recordPaused(directory: string, isPaused: boolean): void {
  const path = pausedMark(directory);
  try {
    // Not truncated: a reader finds the old byte or the new one.
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      writeSync(file, isPaused ? PAUSED : NOT_PAUSED, 0);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new VirgaError("IO_ERROR", `Cannot record in ${path} whether the VM is paused`, {
      cause: error,
      details: { path },
    });
  }
}

/** Reads a record; undefined where there is none. `VM_NOT_OURS` for one this version cannot use. */
export async function readRecord(path: string): Promise<VmRecord | undefined> {
  let text: string;
  try {
    // Not through the thread pool: this stands in the way of every operation, and the file is small.
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw new VirgaError("IO_ERROR", `Cannot read VM record ${path}`, {
      cause: error,
      details: { path },
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new VirgaError("VM_NOT_OURS", `VM record ${path} is damaged`, {
      cause: error,
      details: { path },
    });
  }
  if (!isRecord(value)) {
    throw unknownForm(path, value);
  }
  // A record of an earlier version may lack a deadline, or a fact about the hypervisor, that came later. That fact counts at the start only.
  const timeouts = { ...DEFAULT_TIMEOUTS, ...value.config.timeouts };
  return {
    ...value,
    config: { ...value.config, timeouts },
    build: { ...value.build, mapsReadOnly: value.build.mapsReadOnly === true },
    state: stateOf(value, dirname(path)),
  };
}

/** Reads one record again and again. What has not changed is not parsed again; whether the VM is paused, which is written beside it, is always read. */
export class RecordReader {
  readonly #path: string;
  #stamp: string | undefined;
  #last: VmRecord | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** As {@link readRecord}. */
  async read(): Promise<VmRecord | undefined> {
    // Before it is read: what changes it in between is then read the next time.
    const stamp = stampOf(this.#path);
    if (stamp === undefined || stamp !== this.#stamp || this.#last === undefined) {
      this.#last = await readRecord(this.#path);
      this.#stamp = stamp;
      return this.#last;
    }
    return { ...this.#last, state: stateOf(this.#last, dirname(this.#path)) };
  }
}

/** Changes with the file: a record is replaced, never written over. */
function stampOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(":");
}

function stateOf({ state }: VmRecord, directory: string): VmRecord["state"] {
  // Earlier versions wrote "paused" into the record itself; whoever adopts such a VM asks its hypervisor.
  if (state !== "running" && state !== "paused") return state;
  const mark = pausedMark(directory);
  return existsSync(mark) && readFileSync(mark, "utf8") === PAUSED ? "paused" : "running";
}

function isRecord(value: unknown): value is VmRecord {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Partial<VmRecord>;
  return (
    record.format === RECORD_FORMAT &&
    typeof record.id === "string" &&
    (record.phase === "creating" || record.phase === "ready") &&
    isObject(record.config) &&
    isObject(record.build) &&
    typeof record.uuid === "string" &&
    typeof record.isolated === "boolean" &&
    (record.process === undefined ||
      (Number.isSafeInteger(record.process.pid) && record.process.pid > 1))
  );
}

function unknownForm(path: string, value: unknown): VirgaError {
  const { format } = (value ?? {}) as { readonly format?: unknown };
  const what =
    format === RECORD_FORMAT
      ? "lacks fields or holds wrong ones"
      : `is of format ${JSON.stringify(format) ?? "none"}, this version of Virga knows ${RECORD_FORMAT}`;
  return new VirgaError("VM_NOT_OURS", `VM record ${path} ${what}`, {
    details: { path },
    hint: "Use the version of Virga that started the VM.",
  });
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
