import type { DiskConfig } from "../../config/vm-config.ts";
import { VirgaError } from "../../errors.ts";
import { kernelArguments } from "../kernel-arguments.ts";
import type { SnapshotSource, VmContext } from "../port.ts";
import { GUEST_PORTS, portSocket } from "./files.ts";
import { tscRateKhz } from "./tsc-rate.ts";

/** Code that was translated for the guest, at most (TCG). */
const TRANSLATION_CACHE_MIB = 256;

/**
 * All that can be emulated, but without the promise that `rep movsb` is fast: Linux and C libraries then copy by it, and TCG does that byte by byte. Without
 * it they copy by words, which takes a third of the time.
 */
const EMULATED_CPU = "max,-erms,-fsrm";

const SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/** Arguments that boot the VM from its kernel. It waits for `cont`. */
export function bootArguments(context: VmContext): string[] {
  const { config, layout } = context;
  if (config.kernel === undefined) {
    throw new VirgaError("INVALID_CONFIG", `VM "${config.sandboxId}" has no kernel to boot`);
  }
  const { inside } = layout;
  const commandLine = kernelArguments(config, kernelWords(context));
  return [
    ...machine(context, memoryFile(inside.memory, context, true), ""),
    "-kernel",
    inside.kernel,
    ...(config.initramfs === undefined ? [] : ["-initrd", inside.initramfs]),
    "-append",
    commandLine,
  ];
}

/**
 * Arguments that make the same machine and wait for its device state. Without kernel and initramfs: the guest has them in its memory already, and a reset
 * ends the VM.
 */
export function restoreArguments(context: VmContext, source: SnapshotSource): string[] {
  const { inside } = context.layout;
  const memory =
    source.mode === "shared"
      ? memoryFile(`${inside.snapshot}/${source.manifest.memory.file}`, context, false)
      : memoryFile(inside.memory, context, true);
  return [
    ...machine(context, memory, ",suppress-vmdesc=on"),
    // The state is that of the devices alone: no configuration section, no memory.
    "-global",
    "migration.send-configuration=off",
    "-incoming",
    "defer",
  ];
}

function kernelWords(context: VmContext): string[] {
  const { config, build } = context;
  const words = config.console ? ["console=ttyS0"] : [];
  // A panic must end the VM, and nothing else would end it.
  words.push("panic=-1");
  // The agent waits for this many ports before it serves any.
  if (config.guestChannel) words.push(`virga.ports=${GUEST_PORTS}`);
  if (build.accelerator === "tcg") {
    const khz = tscRateKhz();
    // The crypto self-tests cost a tenth of an emulated boot.
    words.push("cryptomgr.notests=1");
    if (khz !== undefined) words.push(`tsc_early_khz=${khz}`);
  }
  return words;
}

function machine(context: VmContext, memory: string, machineOptions: string): string[] {
  const { config, layout, build, uuid } = context;
  const { inside } = layout;
  const kvm = build.accelerator === "kvm";
  return [
    "-name",
    optionValue(config.sandboxId),
    "-uuid",
    uuid,
    "-pidfile",
    inside.pid,
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    "-action",
    "panic=exit-failure",
    "-S",
    "-sandbox",
    SANDBOX,
    // With these two, the log tells later why the VM ended, although nobody was connected to a monitor.
    "-trace",
    "enable=qemu_system_shutdown_request",
    "-trace",
    "enable=runstate_set",
    "-accel",
    kvm ? "kvm" : `tcg,thread=multi,tb-size=${TRANSLATION_CACHE_MIB}`,
    "-cpu",
    kvm ? "host" : EMULATED_CPU,
    "-smp",
    String(config.vcpus),
    "-m",
    `${config.memoryMib}M`,
    "-object",
    memory,
    "-M",
    `microvm,pcie=on,x-option-roms=off,rtc=on,isa-serial=${config.console ? "on" : "off"},memory-backend=ram${machineOptions}`,
    ...monitor("qmp0", inside.qmpOperations),
    ...monitor("qmp1", inside.qmpReads),
    ...(config.console
      ? [
          "-chardev",
          `file,id=console,path=${optionValue(inside.console)},append=on`,
          "-serial",
          "chardev:console",
        ]
      : []),
    ...devices(context),
  ];
}

/** Devices in a fixed order: it decides their addresses, and a clone must have the same. */
function devices(context: VmContext): string[] {
  const { config, layout } = context;
  const list = ["-device", "pvpanic-pci"];
  list.push("-object", "rng-builtin,id=rng", "-device", "virtio-rng-pci,rng=rng");
  if (config.guestChannel) {
    list.push("-device", `virtio-serial-pci,id=channel,max_ports=${GUEST_PORTS + 1}`);
    for (let port = 0; port < GUEST_PORTS; port++) {
      const path = optionValue(portSocket(layout.inside, port));
      list.push("-chardev", `socket,id=port${port},path=${path},server=on,wait=off`);
      // Number 0 is reserved for consoles.
      list.push(
        "-device",
        `virtserialport,bus=channel.0,nr=${port + 1},chardev=port${port},name=virga.${port}`,
      );
    }
  }
  for (const disk of config.disks) list.push(...diskArguments(disk, layout.inside.disk(disk.id)));
  if (config.network !== undefined) {
    const { tap, mac } = config.network;
    const backend =
      tap === undefined
        ? `stream,id=net0,server=off,addr.type=unix,addr.path=${optionValue(layout.inside.network)}`
        : `tap,id=net0,ifname=${optionValue(tap)},script=no,downscript=no,vhost=off`;
    list.push("-netdev", backend);
    // After a restore the guest would be asked to announce itself. Who takes the card down before it has, its new network in hand, waits for ever: in Linux
    // (6.12) the closing of the card waits for that work, which waits for the lock that the closing holds. Without it QEMU announces the guest itself.
    list.push("-device", `virtio-net-pci,netdev=net0,mac=${mac},guest_announce=off,romfile=`);
  }
  if (config.balloon) list.push("-device", "virtio-balloon-pci,id=balloon,deflate-on-oom=on");
  return list;
}

function diskArguments(disk: Required<DiskConfig>, path: string): string[] {
  const node = `disk-${disk.id}`;
  const backend = {
    driver: "raw",
    "node-name": node,
    "read-only": disk.readonly,
    discard: "unmap",
    file: { driver: "file", filename: path, locking: "on" },
  };
  return [
    "-blockdev",
    JSON.stringify(backend),
    "-device",
    `virtio-blk-pci,drive=${node},serial=${disk.id}`,
  ];
}

function memoryFile(path: string, context: VmContext, own: boolean): string {
  const object = `memory-backend-file,id=ram,size=${context.config.memoryMib}M,mem-path=${optionValue(path)}`;
  if (own) return `${object},share=on`;
  // Without `rom=off` even a private mapping opens its file for writing.
  return context.build.mapsReadOnly
    ? `${object},share=off,readonly=on,rom=off`
    : `${object},share=off`;
}

function monitor(id: string, path: string): string[] {
  const socket = `socket,id=${id},path=${optionValue(path)},server=on,wait=off`;
  return ["-chardev", socket, "-mon", `chardev=${id},mode=control`];
}

/** A value inside a comma-separated option. */
function optionValue(value: string): string {
  return value.replaceAll(",", ",,");
}
