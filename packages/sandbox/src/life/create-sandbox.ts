import type { Guest } from "../guest/boot-guest.ts";
import type { SandboxRow, SandboxSpec } from "../catalog/rows.ts";
import { checkName } from "../catalog/names.ts";
import { newMachineId } from "../guest/guest-agent.ts";
import { Host } from "../host.ts";
import { homePaths } from "../home.ts";
import { ensureImage } from "../images/ensure-image.ts";
import { keepImage } from "../images/image.ts";
import { bootCold, restoreClone } from "./make-guest.ts";
import { chooseForNetwork } from "../network/choose-hypervisor.ts";
import { ensureNetworkTools } from "../network/ensure-network-tools.ts";
import { newSandboxId } from "../sandbox-id.ts";
import { resolveSandboxOptions } from "./sandbox-options.ts";
import type { SandboxOptions } from "./sandbox-options.ts";
import { planTemplate } from "../templates/template-plan.ts";
import { Timings } from "../timings.ts";
import { cloneSnapshot } from "./clone-snapshot.ts";
import { makeSandbox, newRow } from "./make-sandbox.ts";
import type { MadeSandbox } from "./make-sandbox.ts";

/** A sandbox that was just made. */
export interface CreatedSandbox {
  readonly host: Host;
  readonly row: SandboxRow;
  readonly guest: Guest;
  readonly timings: Timings;
}

/** Makes a sandbox from an image or a snapshot. A failure, or the death of this process, leaves nothing behind. */
export async function createSandbox(options: SandboxOptions): Promise<CreatedSandbox> {
  const { timings = new Timings() } = options;
  // Before this machine is set up for it, and a template made.
  if (options.name !== undefined) checkName(options.name);
  const host = options.host;
  if (options.snapshot !== undefined) {
    const opened = host ?? (await openHost(options, timings));
    const made = await cloneSnapshot(opened, { ...options, snapshot: options.snapshot, timings });
    return keep(opened, made);
  }
  return fromImage({ ...options, timings });
}

async function fromImage(
  options: SandboxOptions & { readonly timings: Timings },
): Promise<CreatedSandbox> {
  const { signal, timings } = options;
  const resolved = resolveSandboxOptions(options);
  const { vcpus, memoryMib, diskMib, network, hypervisor, balloon, warm, cold } = resolved;
  const image = await ensureImage(resolved.image, {
    ...hostOptions(options),
    home: options.host?.home ?? homePaths(),
  });
  const host = options.host ?? (await openHost(options, timings));
  const probe = chooseForNetwork(host, hypervisor, network);
  if (network !== "none") await ensureNetworkTools(host.home, options);
  const size = { diskMib, vcpus, memoryMib };
  const shape = { image, ...size, hypervisor: probe, network, balloon, warm };
  const plan = await planTemplate(host, shape);
  const id = newSandboxId();
  const spec: SandboxSpec = {
    image: image.name,
    imageDigest: image.digest ?? null,
    hypervisor: probe.name,
    accelerator: probe.accelerator,
    vcpus,
    memoryMib,
    diskMib: plan.disks?.diskMib ?? null,
    env: { ...image.environment, ...options.env },
    user: image.user,
    workdir: image.workdir,
    command: image.command,
    network,
    balloon: plan.parts.balloon,
    hostname: id,
    machineId: newMachineId(),
  };
  // Until its row says that the image is needed.
  const letGo = await keepImage(image, host.home.images, signal);
  try {
    const making = { host, plan, id, timings, accelerator: probe.accelerator };
    const made = await makeSandbox({
      host,
      row: newRow({ id, name: options.name ?? null, spec, parent: null, snapshot: null }),
      ephemeral: options.ephemeral ?? false,
      timings,
      signal,
      makeGuest: (_operation, abort) =>
        (cold ? bootCold : restoreClone)({ ...making, signal: abort }),
    });
    return await keep(host, made);
  } finally {
    letGo();
  }
}

async function keep(host: Host, made: MadeSandbox): Promise<CreatedSandbox> {
  try {
    made.keep();
  } catch (error) {
    await made.remove();
    throw error;
  }
  made.release();
  const { row, guest, timings } = made;
  return { host, row, guest, timings };
}

async function openHost(options: SandboxOptions, timings: Timings): Promise<Host> {
  return Host.open({ ...hostOptions(options), timings });
}

function hostOptions(options: SandboxOptions): NonNullable<Parameters<typeof Host.open>[0]> {
  const { logger, onProgress, onSetup, signal } = options;
  return {
    ...(logger && { logger }),
    ...(onProgress && { onProgress }),
    ...(onSetup && { onSetup }),
    signal,
  };
}
