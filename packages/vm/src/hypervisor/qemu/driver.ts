import { open } from "node:fs/promises";
import { arch } from "node:process";
import { join } from "node:path";
import { VirgaError } from "../../errors.ts";
import { copySparse } from "../../snapshot/sparse-copy.ts";
import type {
  HypervisorBuild,
  HypervisorCapabilities,
  HypervisorDriver,
  LaunchPlan,
  SnapshotSource,
  VmContext,
} from "../port.ts";
import { watchBoot } from "./boot-watchdog.ts";
import { QemuControl } from "./control.ts";
import { explainQemuExit } from "./exit.ts";
import { GUEST_PORTS, portSocket } from "./files.ts";
import { connectGuestPort } from "./guest-connection.ts";
import { bootArguments, restoreArguments } from "./machine-arguments.ts";
import { PIECE_BYTES } from "./save-private-memory.ts";
import { identifyQemu } from "./version.ts";

const MIB = 1 << 20;

const CAPABILITIES: HypervisorCapabilities = {
  restoreModes: ["copy", "shared"],
  memoryForms: ["anonymous", "file"],
  balloon: true,
  guestConnections: GUEST_PORTS,
};

/** Options of {@link qemuDriver}. */
export interface QemuDriverOptions {
  /** `kvm` only where a probe saw a guest run with it. Default `tcg`. */
  readonly accelerator?: HypervisorBuild["accelerator"];
}

/** The driver of QEMU's `microvm`, with KVM or by emulation. */
export function qemuDriver({ accelerator = "tcg" }: QemuDriverOptions = {}): HypervisorDriver {
  return {
    name: "qemu",
    accelerator,
    identify: identifyQemu,
    capabilities: () => CAPABILITIES,
    check,
    prepareFiles,
    planBoot: (context) => plan(context, bootArguments(context)),
    planRestore: (context, source) => plan(context, restoreArguments(context, source), source),
    control: (context) => new QemuControl(context),
    connectGuest: connectGuestPort,
    // QEMU ends by itself when its guest does.
    watchGuest: () => () => undefined,
    watchBoot,
    explainExit: explainQemuExit,
  };
}

function plan(context: VmContext, rest: readonly string[], source?: SnapshotSource): LaunchPlan {
  const { host } = context.layout;
  const ports = Array.from({ length: GUEST_PORTS }, (_, port) => portSocket(host, port));
  return {
    argv: [context.build.binary, ...rest],
    staleSockets: [host.qmpOperations, host.qmpReads, host.incoming, ...ports],
    largestFileBytes: PIECE_BYTES,
    ...(context.config.console && { appends: [host.console] }),
    snapshotWritable: source?.mode === "shared" && !context.build.mapsReadOnly,
  };
}

function check(context: VmContext, source: SnapshotSource | undefined): void {
  const { config } = context;
  if (arch !== "x64") throw unsupported(`a ${arch} host`, "Use an x86-64 host.");
  if (source === undefined) {
    // Fails by itself where there is no kernel, or where the command line is too long.
    bootArguments(context);
    return;
  }
  if (source.mode === "on-demand") {
    throw unsupported("restore mode on-demand", 'Use "shared" or "copy".');
  }
  if (source.manifest.memory.form !== "file") {
    throw unsupported("a snapshot whose memory is no memory file", undefined);
  }
  if (source.mode === "shared" && config.balloon) {
    // The guest's driver picks the pages, and QEMU punches them out of the file that all clones map.
    throw unsupported("a balloon in a clone that shares its memory", 'Use restore mode "copy".');
  }
}

function unsupported(feature: string, hint: string | undefined): VirgaError {
  return new VirgaError("UNSUPPORTED", `QEMU cannot do this: ${feature}`, {
    details: { driver: "qemu", feature },
    ...(hint !== undefined && { hint }),
  });
}

/** Makes the VM's own memory file: always a file, so that each VM's snapshot is one that clones can map. */
async function prepareFiles(
  context: VmContext,
  source: SnapshotSource | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { layout, config } = context;
  if (source?.mode === "shared") return;
  if (source !== undefined) {
    const snapshot = join(source.directory, source.manifest.memory.file);
    await copySparse(snapshot, layout.host.memory, { signal });
    return;
  }
  const file = await open(layout.host.memory, "wx", 0o600);
  try {
    await file.truncate(config.memoryMib * MIB);
  } finally {
    await file.close();
  }
}
