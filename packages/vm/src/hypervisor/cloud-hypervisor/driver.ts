import { open } from "node:fs/promises";
import { VirgaError } from "../../errors.ts";
import type { HypervisorDriver, LaunchPlan, SnapshotSource, VmContext } from "../port.ts";
import { createControl } from "./control.ts";
import { explainCloudHypervisorExit, findGuestEnd } from "./exit.ts";
import { watchGuestEvents } from "./guest-watch.ts";
import { prepareRestore, whyNotMode } from "./restore.ts";
import { identifyCloudHypervisor } from "./version.ts";
import { vmConfigJson } from "./vm-config-json.ts";
import { MAX_CONNECTIONS, connectVsock } from "./vsock.ts";

/** Characters that mean something in an option's value; the fixed path has none of them. */
const OPTION_CHARACTERS = /[,=[\]"]/u;

/** The first one that a launch plan's files have. */
const FIRST_DESCRIPTOR = 4;

/** Drives Cloud Hypervisor 53.0 and newer. */
export const cloudHypervisorDriver: HypervisorDriver = {
  name: "cloud-hypervisor",
  accelerator: "kvm",
  identify: identifyCloudHypervisor,
  capabilities: () => ({
    restoreModes: ["on-demand", "shared", "copy"],
    memoryForms: ["anonymous", "file"],
    balloon: true,
    guestConnections: MAX_CONNECTIONS,
  }),
  check(context, source) {
    const { config, layout } = context;
    if (OPTION_CHARACTERS.test(layout.inside.directory)) {
      throw new VirgaError(
        "INVALID_CONFIG",
        `VM directory ${layout.directory} holds one of , = [ ] ", which Cloud Hypervisor would take apart`,
        { details: { directory: layout.directory } },
      );
    }
    if (config.network?.socket !== undefined) {
      throw new VirgaError(
        "UNSUPPORTED",
        "Cloud Hypervisor cannot use a socket as a network card: only a TAP device",
        {
          details: { feature: "network.socket", hypervisor: "cloud-hypervisor" },
          hint: "Use a TAP device, or QEMU.",
        },
      );
    }
    if (source === undefined) checkBoot(context);
    else checkMode(context, source);
    if (
      config.balloon &&
      (config.memoryForm === "file" || source?.manifest.memory.form === "file")
    ) {
      throw new VirgaError(
        "UNSUPPORTED",
        "Cloud Hypervisor cannot use a balloon on memory that is mapped from a file: it would grow the VM or punch holes into the file",
        {
          details: { feature: "balloon", hypervisor: "cloud-hypervisor" },
          hint: "Use anonymous memory, or no balloon.",
        },
      );
    }
  },
  async prepareFiles(context, source, signal) {
    if (source !== undefined) await prepareRestore(context, source, signal);
    else if (context.config.memoryForm === "file") await makeMemoryFile(context);
  },
  planBoot: plan,
  planRestore: plan,
  control: createControl,
  connectGuest(context, options) {
    if (!context.config.guestChannel) return Promise.reject(noChannel(context));
    return connectVsock(context.layout.host.vsock, options);
  },
  watchGuest: (context, onEnd) => watchGuestEvents(context.layout.host.events, onEnd),
  guestEnd: (context) => findGuestEnd(context.layout.host.events),
  explainExit: (context, evidence) =>
    explainCloudHypervisorExit(context.layout.host.events, evidence),
};

/** Boot and restore start the same bare process; what it is to do comes through its socket. */
function plan({ build, config, layout }: VmContext): LaunchPlan {
  const { inside, host } = layout;
  return {
    argv: [
      build.binary,
      "--api-socket",
      `path=${inside.api}`,
      // A regular file: events are dropped where a reader is slow, and a later process reads it again. By its descriptor, because it would be emptied by path.
      "--event-monitor",
      `fd=${FIRST_DESCRIPTOR}`,
      // At this level the log tells a guest's power-off from a signal; the events and the exit code are the same.
      "-v",
    ],
    descriptors: [host.events],
    // Also the guest's console, for the same reason.
    ...(config.console && { stdout: host.console }),
    staleSockets: [host.api, host.vsock],
    // A snapshot's memory, where all of it is written.
    largestFileBytes: config.memoryMib * 1024 * 1024,
  };
}

function checkBoot(context: VmContext): void {
  vmConfigJson(context);
}

function checkMode(context: VmContext, source: SnapshotSource): void {
  const why = whyNotMode(source);
  if (why === undefined) return;
  throw new VirgaError(
    "UNSUPPORTED",
    `Cannot restore ${source.directory} in mode ${source.mode}: ${why}`,
    {
      details: {
        directory: source.directory,
        feature: source.mode,
        hypervisor: context.build.name,
        memoryForm: source.manifest.memory.form,
      },
      hint:
        source.mode === "shared"
          ? "Restore it in mode `copy` or `on-demand`."
          : "Restore it in mode `shared` or `copy`.",
    },
  );
}

async function makeMemoryFile({ config, layout }: VmContext): Promise<void> {
  const file = await open(layout.host.memory, "wx", 0o600);
  try {
    await file.truncate(config.memoryMib * 1024 * 1024);
  } finally {
    await file.close();
  }
}

function noChannel({ config }: VmContext): VirgaError {
  return new VirgaError(
    "UNSUPPORTED",
    `VM "${config.sandboxId}" has no guest channel: it was made without one`,
    {
      details: { feature: "guestChannel" },
    },
  );
}
