import {
  ensureReady,
  recoverHome,
  updateKernel,
  type GivenFiles,
  type KernelUpdate,
  type SetupOptions,
} from "@virga/sandbox";
import { interruptSignal } from "../interrupt.ts";
import { printJson } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";
import { setupProgress } from "../output/setup-progress.ts";

/** Options of `virga setup`. */
export interface SetupCommandOptions extends GivenFiles {
  /** Also what the tests of Virga itself use. */
  readonly dev?: boolean;
  /** Also bring the guest kernel to the newest. */
  readonly update?: boolean;
  /** Install packages without asking. */
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `virga setup`: makes this machine able to run VMs, and removes those of processes that were killed. */
export async function setupCommand(options: SetupCommandOptions): Promise<number> {
  const { dev = false, yes = false, update = false, kernel, modules, busybox } = options;
  await recoverHome();
  const progress = setupProgress(process.stderr);
  try {
    const how: SetupOptions = {
      // Asked for explicitly: VIRGA_SETUP=never is about commands that would do it by the way.
      mode: "auto",
      tools: dev ? ["qemu", "kernel", "native", "dev"] : ["qemu"],
      given: {
        ...(kernel !== undefined && { kernel }),
        ...(modules !== undefined && { modules }),
        ...(busybox !== undefined && { busybox }),
      },
      onEvent: progress.onEvent,
      signal: interruptSignal(),
      ...(!yes && process.stdin.isTTY && process.stderr.isTTY && { confirm: askToInstall }),
    };
    const change = update ? await updateKernel(how) : undefined;
    const assets = change?.assets ?? (await ensureReady(how));
    await progress.finish();
    if (options.json === true) {
      const { updated, before, dropped } = change ?? {};
      const { kernelRelease, kernel, initramfs } = assets;
      printJson({ kernelRelease, kernel, initramfs, updated, before, dropped });
      return 0;
    }
    if (change !== undefined) printLine(changeText(change));
    printLine(`Ready: guest kernel ${assets.kernelRelease}, image busybox.`);
    return 0;
  } catch (error) {
    await progress.finish("Not finished");
    throw error;
  }
}

function changeText({ updated, before, assets, dropped }: KernelUpdate): string {
  const change = updated
    ? `The guest kernel was ${before} and is now ${assets.kernelRelease}.`
    : `The guest kernel ${before} is the newest.`;
  return dropped.length === 0 ? change : `${change} Removed: ${dropped.join(", ")}.`;
}

async function askToInstall(packages: readonly string[]): Promise<boolean> {
  const { confirm } = await import("@clack/prompts");
  const message = `Install ${packages.join(", ")} with apt-get?`;
  return (await confirm({ message, output: process.stderr })) === true;
}
