import { createReadStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inDirectory } from "./blueprint.ts";
import { Qmp } from "./qmp.ts";
import { copyFile, makeMemory, makeRawDirectory, syncFiles } from "./raw-directory.ts";
import { connectWhenReady, spawnRaw, type RawProcess } from "./raw-process.ts";
import type { RawHypervisor, RawVm } from "./raw-vm.ts";

const POLL_MS = 2;
const PORTS = 16;
/** As often as Virga looks: each look costs the guest time. */
const PORTS_POLL_MS = 20;

/** QEMU by hand. */
export const rawQemu: RawHypervisor = {
  async boot({ blueprint, directory, config }) {
    await makeRawDirectory(directory, config, undefined);
    await makeMemory(join(directory, "memory"), config.memoryMib ?? 512);
    const vm = start(inDirectory(blueprint, directory).argv, directory);
    await vm.run((qmp) => qmp.execute("cont"));
    return vm;
  },
  async clone({ blueprint, directory, snapshot, mode }) {
    await makeRawDirectory(directory, {}, snapshot);
    if (mode === "copy") await copyFile(join(snapshot, "memory"), join(directory, "memory"));
    const vm = start(inDirectory(blueprint, directory).argv, directory);
    await vm.run((qmp) => restore(qmp, vm.vmm, directory));
    return vm;
  },
};

function start(argv: readonly string[], directory: string): RawQemu {
  return new RawQemu(directory, spawnRaw(argv, directory));
}

async function restore(qmp: Qmp, vmm: RawProcess, directory: string): Promise<void> {
  const path = join(directory, "in.sock");
  await qmp.execute("migrate-incoming", { uri: `unix:${path}` });
  const socket = await connectWhenReady(path, vmm);
  // QEMU hangs up when it has read enough; its status tells how that went.
  socket.on("error", () => undefined);
  createReadStream(join(directory, "snapshot/devices")).pipe(socket);
  for (;;) {
    const status: unknown = Object(await qmp.execute("query-migrate"))["status"];
    if (status === "completed") break;
    if (status === "failed") throw new Error("QEMU could not restore the device state");
    await sleep(POLL_MS);
  }
  socket.destroy();
  await qmp.execute("cont");
}

async function openPorts(qmp: Qmp): Promise<number> {
  const devices = await qmp.execute("query-chardev");
  if (!Array.isArray(devices)) return 0;
  return devices.filter((device: unknown) => {
    const { label, "frontend-open": isOpen } = Object(device) as Record<string, unknown>;
    return isOpen === true && String(label).startsWith("port");
  }).length;
}

class RawQemu implements RawVm {
  readonly vmm: RawProcess;
  readonly #directory: string;

  constructor(directory: string, vmm: RawProcess) {
    this.#directory = directory;
    this.vmm = vmm;
  }

  run<T>(body: (qmp: Qmp) => Promise<T>): Promise<T> {
    return Qmp.with(join(this.#directory, "qmp0.sock"), this.vmm, body);
  }

  /** Not before the guest has opened its ports: who comes earlier may cost a port its name, and wait for ever. */
  async connect(): Promise<Duplex> {
    await Qmp.with(join(this.#directory, "qmp1.sock"), this.vmm, async (qmp) => {
      while ((await openPorts(qmp)) < PORTS) await sleep(PORTS_POLL_MS);
    });
    return connectWhenReady(join(this.#directory, "ports/0.sock"), this.vmm);
  }

  async pause(): Promise<void> {
    await this.run((qmp) => qmp.execute("stop"));
  }

  async resume(): Promise<void> {
    await this.run((qmp) => qmp.execute("cont"));
  }

  async snapshot(directory: string): Promise<void> {
    await mkdir(directory);
    const [devices, memory] = [join(directory, "devices"), join(directory, "memory")];
    await this.run((qmp) =>
      qmp.execute("xen-save-devices-state", { filename: devices, live: false }),
    );
    await copyFile(join(this.#directory, "memory"), memory);
    await syncFiles([devices, memory]);
  }

  async destroy(): Promise<void> {
    await this.run((qmp) => qmp.execute("quit"));
    await this.vmm.ended;
    await rm(this.#directory, { recursive: true });
  }

  async kill(): Promise<void> {
    await this.vmm.kill();
  }
}
