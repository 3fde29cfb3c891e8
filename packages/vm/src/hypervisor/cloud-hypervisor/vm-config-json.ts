import type { VmContext } from "../port.ts";
import type { DiskConfig } from "../../config/vm-config.ts";
import { VirgaError } from "../../errors.ts";
import { kernelArguments } from "../kernel-arguments.ts";
import { MAX_REQUEST_BYTES } from "./api-client.ts";

/** Context id of every guest on its own vsock device: the host's side is a Unix socket, so it need not be unique. */
const GUEST_CID = 3;

/** Id of the memory zone of a VM whose memory is a file. */
const MEMORY_ZONE_ID = "memory";

/** Prefix of disk devices' ids, so that no disk's id meets that of another device. */
const DISK_ID_PREFIX = "disk-";

/** Id of a disk's device. */
export function diskDeviceId(id: string): string {
  return `${DISK_ID_PREFIX}${id}`;
}

/**
 * The `VmConfig` of `vm.create`, all paths as the VMM sees them. Ids, image types and console modes are always written out, because Cloud Hypervisor's
 * defaults depend on the order of devices, on what a disk holds, and on its terminal.
 *
 * `INVALID_CONFIG` where there is no kernel or the result is longer than Cloud Hypervisor reads.
 */
export function vmConfigJson({ config, layout }: VmContext): Record<string, unknown> {
  const { inside } = layout;
  if (config.kernel === undefined) {
    throw new VirgaError("INVALID_CONFIG", "A kernel is needed to boot a VM on Cloud Hypervisor");
  }
  const json = {
    // Core scheduling stays at `Vm`: where the kernel lacks it Cloud Hypervisor only warns, and switching it off would expose siblings of a core.
    cpus: {
      boot_vcpus: config.vcpus,
      max_vcpus: config.vcpus,
      nested: false,
      core_scheduling: "Vm",
    },
    memory: memoryJson(
      config.memoryMib * 1024 * 1024,
      config.memoryForm === "file" ? inside.memory : undefined,
    ),
    payload: {
      kernel: inside.kernel,
      cmdline: kernelArguments(config, driverWords(config.console)),
      ...(config.initramfs !== undefined && { initramfs: inside.initramfs }),
    },
    disks: config.disks.map((disk) => diskJson(disk, inside.disk(disk.id))),
    ...(config.network?.tap !== undefined && {
      net: [{ id: "net", tap: config.network.tap, mac: config.network.mac }],
    }),
    rng: { src: "/dev/urandom" },
    // The guest may take memory back before it kills its own processes.
    ...(config.balloon && { balloon: { size: 0, deflate_on_oom: true } }),
    ...(config.guestChannel && { vsock: { id: "vsock", cid: GUEST_CID, socket: inside.vsock } }),
    // A serial port costs an exit for each byte; it exists so that a guest that insists on one does not hang.
    serial: { mode: "Null" },
    // Its standard output: a file would be emptied when it is opened, and so lose what limits its growth.
    console: { mode: config.console ? "Tty" : "Off" },
    pvpanic: true,
  };
  const bytes = Buffer.byteLength(JSON.stringify(json));
  if (bytes > MAX_REQUEST_BYTES) {
    throw new VirgaError(
      "INVALID_CONFIG",
      `The configuration is ${bytes} bytes long, Cloud Hypervisor reads at most ${MAX_REQUEST_BYTES}`,
      {
        details: { bytes, maximum: MAX_REQUEST_BYTES },
      },
    );
  }
  return json;
}

/** Kernel words of every guest on this driver; the user's come later and win. */
function driverWords(console: boolean): string[] {
  return [
    ...(console ? ["console=hvc0"] : []),
    // A panic ends the guest: it reboots, and a reboot ends the VM.
    "panic=-1",
    // Of the guest's clocks only kvm-clock is carried over a restore by Cloud Hypervisor. No such clock exists on arm64.
    ...(process.arch === "x64" ? ["clocksource=kvm-clock"] : []),
  ];
}

function memoryJson(bytes: number, file: string | undefined): Record<string, unknown> {
  if (file === undefined) return { size: bytes };
  return { size: 0, zones: [{ id: MEMORY_ZONE_ID, size: bytes, file, shared: true }] };
}

function diskJson(disk: Required<DiskConfig>, path: string): Record<string, unknown> {
  return {
    id: diskDeviceId(disk.id),
    path,
    readonly: disk.readonly,
    // By default the serial number is made of the file's metadata, which differ between clones.
    serial: disk.id,
    image_type: "Raw",
    backing_files: false,
  };
}
