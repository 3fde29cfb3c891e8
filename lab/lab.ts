import { statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { commandScript } from "./command-script.ts";
import { findExecutable } from "./find-executable.ts";
import { prepareInitramfs } from "./initramfs.ts";
import { prepareKernel, type KernelName } from "./kernel.ts";
import { LabError } from "./lab-error.ts";
import { machineArguments } from "./machine-arguments.ts";
import { runMachine, type MachineEnd } from "./machine.ts";
import { missingForLab } from "./prerequisites.ts";

/** One command in the lab. */
export interface LabOptions {
  readonly argv: readonly string[];
  /** Default `6.12`. */
  readonly kernel?: KernelName;
  /** Memory of the machine. It is taken from the host as the machine touches it. Default 6144. */
  readonly memoryMib?: number;
  /** Limit of the whole run, start included. Default ten minutes. */
  readonly timeoutMs?: number;
  /** Directories of the host that the command may write; everything else it changes is lost. */
  readonly writable?: readonly string[];
  /** Added to PATH, HOME, TERM, the caller's `VIRGA_*` and `VIRGA_LAB=1`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdout?: (chunk: Buffer) => void | Promise<void>;
  readonly stderr?: (chunk: Buffer) => void | Promise<void>;
  /** Told what takes long. */
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs a command as root in an emulated machine that has a working `/dev/kvm`, the host's root below a layer in memory,
 * and nothing of the host to break.
 *
 * Throws a `LabError` when this machine lacks what the lab needs.
 */
export async function runInLab(options: LabOptions): Promise<MachineEnd> {
  const missing = missingForLab();
  if (missing !== undefined) throw new LabError(`Cannot start the lab: ${missing}`);
  if (options.argv.length === 0) throw new LabError("Cannot start the lab: no command is given");
  const shared = (options.writable ?? []).map((path, index) => {
    if (!isAbsolute(path) || !statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      throw new LabError(
        `Cannot share "${path}": a writable directory is the absolute path of one that exists`,
      );
    }
    return { tag: `rw${index}`, path: resolve(path) };
  });
  const kernel = await prepareKernel(
    options.kernel ?? "6.12",
    options.log ?? (() => undefined),
    options.signal,
  );
  const initramfs = await prepareInitramfs(kernel, options.signal);
  const qemu = findExecutable("qemu-system-x86_64") ?? "qemu-system-x86_64";
  const shape = {
    kernel: join(kernel.directory, "vmlinuz"),
    initramfs,
    memoryMib: options.memoryMib ?? 6144,
    shared,
  };
  const discard = () => undefined;
  return runMachine({
    argv: [qemu, ...machineArguments(shape)],
    script: commandScript({
      argv: options.argv,
      cwd: options.cwd ?? process.cwd(),
      env: { ...inheritedEnvironment(), ...options.env },
      shared,
    }),
    timeoutMs: options.timeoutMs ?? 600_000,
    stdout: options.stdout ?? discard,
    stderr: options.stderr ?? discard,
    signal: options.signal,
  });
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function inheritedEnvironment(): Record<string, string> {
  // The node that runs this comes first, so that the lab runs the same one.
  const path = [dirname(process.execPath), process.env["PATH"], systemPath].filter(Boolean);
  const env: Record<string, string> = {
    PATH: path.join(":"),
    HOME: "/root",
    TERM: "dumb",
    VIRGA_LAB: "1",
  };
  for (const [name, value] of Object.entries(process.env)) {
    // The test runner's own channel to its reporter is not for tests in the lab.
    if (name === "VIRGA_TEST_TOTALS") continue;
    if (name.startsWith("VIRGA_") && value !== undefined) env[name] = value;
  }
  return env;
}
