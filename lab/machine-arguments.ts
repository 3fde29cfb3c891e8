/** A directory of the host that the lab may write, at the same path. */
export interface SharedDirectory {
  readonly tag: string;
  readonly path: string;
}

/** What QEMU emulates. */
export interface MachineShape {
  readonly kernel: string;
  readonly initramfs: string;
  readonly memoryMib: number;
  readonly shared: readonly SharedDirectory[];
}

/** Descriptors, inherited by QEMU, that carry what the lab's machine says. */
export const channels = { stdout: 3, stderr: 4, control: 5, console: 6 } as const;

/**
 * The arguments for QEMU: TCG emulates AMD's SVM, so that a stock kernel inside offers a `/dev/kvm` that works.
 *
 * One processor, always. Each is emulated by a thread of its own, and QEMU before 8.1 reads the code it translates without the lock of its page
 * (its commit deba78709ae8): a translation of what another processor was just changing may stay in use afterwards. On hosts where both threads truly run,
 * kernels that patch themselves then die of an `int3` oops, and programs that compile at run time, node among them, of SIGTRAP. A processor that is
 * alone never translates and writes at the same time, and devices write only into pages nobody executes yet.
 */
export function machineArguments(shape: MachineShape): string[] {
  const share = (id: string, path: string, options: string): string[] => [
    "-fsdev",
    `local,id=${id},path=${path.replaceAll(",", ",,")},security_model=none,multidevs=remap${options}`,
    "-device",
    `virtio-9p-pci,fsdev=${id},mount_tag=${id}`,
  ];
  const port = (name: "stdout" | "stderr" | "control", nr: number): string[] => [
    "-chardev",
    `socket,id=${name},fd=${channels[name]}`,
    "-device",
    `virtserialport,chardev=${name},nr=${nr}`,
  ];
  return [
    ["-accel", "tcg,tb-size=1024", "-cpu", "max", "-machine", "q35"],
    ["-smp", "1", "-m", `${shape.memoryMib}`],
    ["-name", `virga-lab-${process.pid}`],
    ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ["-kernel", shape.kernel, "-initrd", shape.initramfs],
    ["-append", "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off"],
    ["-chardev", `socket,id=console,fd=${channels.console}`, "-serial", "chardev:console"],
    [
      "-device",
      "virtio-serial-pci",
      ...port("stdout", 1),
      ...port("stderr", 2),
      ...port("control", 3),
    ],
    ["-device", "virtio-rng-pci"],
    ["-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net"],
    share("host", "/", ",readonly=on"),
    ...shape.shared.map(({ tag, path }) => share(tag, path, "")),
  ].flat();
}
