import { currentBusybox, fetchBusybox, importBusybox } from "./busybox.ts";
import {
  buildInitramfs,
  isInitramfsBuilt,
  type Initramfs,
  type InitramfsContent,
} from "./initramfs.ts";
import { importKernelFiles } from "./kernel/kernel-files.ts";
import { fetchKernelPackage } from "./kernel/kernel-package.ts";
import { currentKernel } from "./kernel/kernel-store.ts";
import { buildsNative, ensureNative, isNativeReady } from "./native.ts";
import { withFreshLists } from "./packages.ts";
import { requirements, type Requirement } from "./requirements.ts";
import type { SetupContext } from "./setup-context.ts";

/** The native programs that running VMs needs. */
export const RUNTIME_PROGRAMS: readonly string[] = ["agent", "launcher", "passt-guard"];

/** One thing that set-up makes. Each can be done again after an interruption, and finds done what was done. */
export interface SetupStep {
  readonly name: string;
  /** What it makes, as in "… is missing". */
  readonly makes: string;
  /** What it does, for the user who waits. */
  does(context: SetupContext): string;
  isDone(context: SetupContext): Promise<boolean>;
  /** Programs of the system that `run` uses. */
  requires(context: SetupContext): Promise<readonly Requirement[]>;
  /** Options with which a user gives the files himself, where this step otherwise downloads a package with apt. */
  readonly insteadOfApt?: (context: SetupContext) => readonly string[];
  run(context: SetupContext): Promise<void>;
}

const kernel: SetupStep = {
  name: "kernel",
  makes: "the guest kernel",
  does: ({ given }) =>
    given.kernel === undefined
      ? "Fetching the guest kernel (about 35 MB; it is unpacked, not installed)"
      : `Taking the guest kernel ${given.kernel}`,
  isDone: async ({ home, given }) =>
    given.kernel === undefined && (await currentKernel(home.kernel)) !== undefined,
  requires: async () => requirements.kernel,
  insteadOfApt: ({ given }) =>
    given.kernel === undefined ? ["--kernel FILE", "--modules DIR"] : [],
  run: async ({ home, given, machine, signal, progress }) => {
    const root = home.kernel;
    if (given.kernel !== undefined) {
      const { kernel: file, modules } = given;
      await importKernelFiles({
        root,
        kernel: file,
        signal,
        ...(modules !== undefined && { modules }),
      });
      return;
    }
    const options = { signal, onLine: progress };
    await withFreshLists(() => fetchKernelPackage({ root, ...options }), {
      ...machine,
      ...options,
    });
  },
};

const busybox: SetupStep = {
  name: "busybox",
  makes: "busybox for guests",
  does: ({ given }) =>
    given.busybox === undefined
      ? "Fetching busybox for guests (1 MB; it is unpacked, not installed)"
      : `Taking busybox for guests from ${given.busybox}`,
  isDone: async ({ home, given }) =>
    given.busybox === undefined && (await currentBusybox(home.busybox)) !== undefined,
  requires: async () => [],
  insteadOfApt: ({ given }) => (given.busybox === undefined ? ["--busybox FILE"] : []),
  run: async ({ home, given, machine, signal, progress }) => {
    if (given.busybox !== undefined) {
      await importBusybox(home.busybox, given.busybox);
      return;
    }
    const options = { signal, onLine: progress };
    await withFreshLists(() => fetchBusybox(home.busybox, options), { ...machine, ...options });
  },
};

const native: SetupStep = {
  name: "native",
  makes: "the agent and the launcher",
  does: () => "Building the agent and the launcher",
  isDone: (context) => isNativeReady(nativeOptions(context)),
  requires: async ({ machine }) =>
    (await buildsNative(machine.nativeSources)) ? requirements.native : [],
  run: async (context) => {
    await ensureNative(nativeOptions(context));
  },
};

const initramfs: SetupStep = {
  name: "initramfs",
  makes: "the guest's initramfs",
  does: () => "Building the guest's initramfs",
  isDone: async (context) => {
    for (const step of [kernel, busybox, native]) if (!(await step.isDone(context))) return false;
    return isInitramfsBuilt(await initramfsContent(context), context.home.initramfs);
  },
  requires: async () => [],
  run: async (context) => {
    await builtInitramfs(context);
  },
};

/** What a guest is made from, in the order in which it is made. */
export const guestSteps: readonly SetupStep[] = [kernel, busybox, native, initramfs];

/** Gives the initramfs of the current kernel, busybox and agent, built when it is not there. All steps before it must be done. */
export async function builtInitramfs(context: SetupContext): Promise<Initramfs> {
  return buildInitramfs(await initramfsContent(context), context.home.initramfs);
}

/** The native programs' paths. They must have been built, or are now. */
export async function runtimePrograms(context: SetupContext): Promise<Record<string, string>> {
  return ensureNative(nativeOptions(context));
}

async function initramfsContent(context: SetupContext): Promise<InitramfsContent> {
  const { home } = context;
  const guestKernel = await currentKernel(home.kernel);
  const guestBusybox = await currentBusybox(home.busybox);
  const { agent } = await runtimePrograms(context);
  if (guestKernel === undefined || guestBusybox === undefined || agent === undefined) {
    throw new Error("the initramfs was asked for before kernel, busybox and agent were ready");
  }
  return { init: agent, modules: guestKernel.modules, busybox: guestBusybox };
}

function nativeOptions({ home, machine, signal }: SetupContext) {
  return {
    names: RUNTIME_PROGRAMS,
    outDir: home.native,
    sources: machine.nativeSources,
    signal,
  };
}
