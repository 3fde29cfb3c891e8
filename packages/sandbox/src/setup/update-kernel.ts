import { abortedError } from "@virga/vm";
import { homePaths, openHome, type Home } from "../home.ts";
import { kernelsOfTemplates } from "../templates/kernels-of-templates.ts";
import { fetchKernelPackage, newestKernelPackage } from "./kernel/kernel-package.ts";
import { currentKernel, dropKernels } from "./kernel/kernel-store.ts";
import { updateLists } from "./packages.ts";
import type { ReadyAssets } from "./ready-cache.ts";
import { withSetupLock } from "./setup-lock.ts";
import type { SetupEvent, SetupOptions } from "./setup-options.ts";
import { ensureReady, ensureTools } from "./setup.ts";

/** What an update of the guest kernel came to. */
export interface KernelUpdate {
  /** What VMs are made from now. */
  readonly assets: ReadyAssets;
  /** Whether there was a newer kernel. */
  readonly updated: boolean;
  /** The release before, the same as now where there was no newer one. */
  readonly before: string;
  /** Ids of older kernels that were removed, because no template uses them. */
  readonly dropped: readonly string[];
}

/**
 * Brings the guest kernel to the newest the distribution has, after setting up what is missing. As root the lists of packages are fetched first; others take them
 * as they are. New sandboxes use the new kernel, and so templates of their own. The old one stays, for whoever still uses it; the next update removes it once no
 * template was made with it.
 *
 * Rejects as `ensureReady` does.
 */
export async function updateKernel(options: SetupOptions = {}): Promise<KernelUpdate> {
  const home = await openHome(options.home ?? homePaths());
  const { signal, onEvent } = options;
  const tell = (phase: SetupEvent["phase"], message: string): void =>
    onEvent?.({ phase, step: "kernel", message });
  await ensureReady({ ...options, home });
  await ensureTools({ ...options, home, tools: ["kernel"] });
  const onLine = (line: string): void => {
    if (line.trim() !== "") tell("progress", line.trim());
  };
  const change = await withSetupLock(
    home,
    async () => {
      const apt = { signal, onLine };
      if (options.machine?.root ?? process.geteuid?.() === 0) {
        tell("start", "Fetching the lists of packages");
        await updateLists(apt);
      }
      const before = await currentKernel(home.kernel);
      const newest = await newestKernelPackage(apt);
      if (signal?.aborted === true) throw abortedError("the update of the guest kernel", signal);
      const updated = newest.id !== before?.id;
      if (updated) {
        tell("start", `Fetching the guest kernel ${newest.release}`);
        await fetchKernelPackage({ root: home.kernel, ...apt });
      }
      return { updated, before, dropped: await drop(home, before?.id) };
    },
    {
      signal,
      onWait: () => tell("wait", "Waiting for another process that is setting up"),
    },
  );
  const assets = await ensureReady({ ...options, home, given: {} });
  const { updated, before, dropped } = change;
  return { assets, updated, before: before?.release ?? assets.kernelRelease, dropped };
}

/** Under the set-up lock. The kernel of before stays too: processes that are at work may boot it. */
async function drop(home: Home, before: string | undefined): Promise<string[]> {
  const kept = await kernelsOfTemplates(home.templates);
  if (before !== undefined) kept.add(before);
  return dropKernels(home.kernel, kept);
}
