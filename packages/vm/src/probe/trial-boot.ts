import { setTimeout as sleep } from "node:timers/promises";
import { abortedError, errorText } from "../errors.ts";
import type { HypervisorDriver } from "../hypervisor/port.ts";
import type { Logger } from "../logger.ts";
import { VmManager } from "../vm-manager.ts";
import { makeTrialDirectory, sweepTrialDirectories } from "./trial-directory.ts";

/** What a trial boot showed. */
export interface TrialBoot {
  readonly ok: boolean;
  /** In one sentence. */
  readonly reason: string;
  /** Set when a guest came to a stand: that is KVM's doing, whichever hypervisor asks. */
  readonly hung?: true;
  /** Set when no guest was really tried: something else failed, and the next trial may show better. */
  readonly inconclusive?: true;
}

/** What a trial boot needs. */
export interface TrialBootOptions {
  readonly driver: HypervisorDriver;
  readonly binary: string;
  readonly launcher: string;
  /** The kernel real guests will run: some KVMs run tiny test programs and hang ordinary kernels. */
  readonly kernel: string;
  /** How long the guest's start may take. */
  readonly timeoutMs: number;
  /** How long the started guest may take for its boot. Default: what `bootPatience` gives it. */
  readonly bootTimeoutMs?: number;
  readonly logger: Logger;
  readonly signal?: AbortSignal | undefined;
}

const MEMORY_MIB = 128;

const BOOT_MS = 15_000;

/**
 * How long a guest may take for its boot before it counts as one that hangs, in milliseconds: 15 s, and more on a machine so busy that the start
 * of its hypervisor, which KVM has little part in, took seconds. A verdict is kept until the next boot, so a slow KVM must not pass for a broken one.
 */
export function bootPatience(startMs: number): number {
  return Math.max(BOOT_MS, Math.round(10 * startMs));
}

/**
 * Boots the kernel without a root file system: it goes through its whole boot, finds no root, panics and reboots, which ends the VM. A guest that
 * does not get there in time hangs. Its VMM ends with this process, and what a killed process left of an earlier trial is removed.
 */
export async function trialBoot(options: TrialBootOptions): Promise<TrialBoot> {
  const { driver, binary, kernel, timeoutMs, logger, signal } = options;
  await sweepTrialDirectories(
    (stale) => clear(managerOf(options, stale)),
    (error, stale) => {
      logger.warn({ error, directory: stale }, "cannot remove what an earlier trial boot left");
    },
  ).catch((error: unknown) => {
    logger.warn({ error }, "cannot look for what earlier trial boots left");
  });
  const directory = makeTrialDirectory();
  const manager = managerOf(options, directory.path);
  const deadline = AbortSignal.timeout(timeoutMs);
  const stop = new AbortController();
  const begun = performance.now();
  const ends = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  try {
    const vm = await manager.create(
      {
        sandboxId: "trial",
        hypervisor: driver.name,
        binary,
        kernel,
        memoryMib: MEMORY_MIB,
        guestChannel: false,
        balloon: false,
        console: false,
        kernelArguments: ["panic=-1"],
        timeouts: { shutdownMs: 1_000, terminateMs: 1_000 },
      },
      { signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]) },
    );
    const bootTimeoutMs = options.bootTimeoutMs ?? bootPatience(performance.now() - begun);
    const waited = sleep(bootTimeoutMs, undefined, { signal: ends }).catch(() => undefined);
    const exit = await Promise.race([vm.exited, waited]);
    if (signal?.aborted === true) throw abortedError("trying KVM", signal);
    if (exit === undefined)
      return {
        ok: false,
        reason: `a guest did not finish its boot within ${bootTimeoutMs} ms (it hangs)`,
        hung: true,
      };
    if (exit.reason === "guest-panic" || exit.reason === "guest-reboot")
      return { ok: true, reason: "a trial guest ran" };
    return { ok: false, reason: `a trial guest ended unexpectedly: ${exit.reason}` };
  } catch (error) {
    if (signal?.aborted === true) throw abortedError("trying KVM", signal);
    if (deadline.aborted)
      return { ok: false, reason: `a guest did not start within ${timeoutMs} ms`, hung: true };
    return { ok: false, reason: errorText(error), inconclusive: true };
  } finally {
    stop.abort();
    await Promise.allSettled(manager.list().map((vm) => vm.destroy()));
    await directory.remove();
  }
}

function managerOf({ driver, launcher, logger }: TrialBootOptions, directory: string): VmManager {
  return new VmManager({ directory, launcher, drivers: [driver], logger, endsWithProcess: true });
}

/** Ends and removes every VM in a directory of a process that has died. */
async function clear(manager: VmManager): Promise<void> {
  await manager.recover();
  await Promise.all(manager.list().map((vm) => vm.destroy()));
}
