import { once } from "node:events";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { FIXED_VM_PATH } from "@virga/vm";
import { inDirectory } from "./blueprint.ts";
import { copyFile, makeMemory, makeRawDirectory, syncFiles } from "./raw-directory.ts";
import { connectWhenReady, spawnRaw, type RawProcess } from "./raw-process.ts";
import type { RawHypervisor, RawVm } from "./raw-vm.ts";
import { restCall } from "./rest.ts";

const POLL_MS = 2;
const AGENT_PORT = 1024;
const MOST_PATIENCE_MS = 3000;

/** Cloud Hypervisor by hand. */
export const rawCloudHypervisor: RawHypervisor = {
  async boot({ blueprint, directory, config }) {
    await makeRawDirectory(directory, config, undefined);
    if (config.memoryForm === "file") {
      await makeMemory(join(directory, "memory"), config.memoryMib ?? 512);
    }
    const { argv, body } = inDirectory(blueprint, directory);
    const vm = await start(argv, directory);
    await vm.put("vm.create", body);
    await vm.put("vm.boot");
    return vm;
  },
  async clone({ blueprint, directory, snapshot, mode }) {
    await makeRawDirectory(directory, {}, snapshot);
    // The paths in a published snapshot are those of a mount namespace that a script has not got.
    const source = join(directory, "restore");
    await mkdir(source);
    const published = await readFile(join(snapshot, "config.json"), "utf8");
    await writeFile(join(source, "config.json"), published.replaceAll(FIXED_VM_PATH, directory));
    await symlink(join(snapshot, "state.json"), join(source, "state.json"));
    if (mode !== "shared") {
      await symlink(join(snapshot, "memory-ranges"), join(source, "memory-ranges"));
    }
    const vm = await start(inDirectory(blueprint, directory).argv, directory);
    await vm.put("vm.restore", {
      source_url: `file://${source}`,
      memory_restore_mode: mode === "on-demand" ? "OnDemand" : "Copy",
      resume: true,
    });
    return vm;
  },
};

async function start(argv: readonly string[], directory: string): Promise<RawCloudHypervisor> {
  const vm = new RawCloudHypervisor(directory, spawnRaw(argv, directory));
  const socket = await connectWhenReady(join(directory, "api.sock"), vm.vmm);
  socket.destroy();
  return vm;
}

class RawCloudHypervisor implements RawVm {
  readonly vmm: RawProcess;
  readonly #directory: string;

  constructor(directory: string, vmm: RawProcess) {
    this.#directory = directory;
    this.vmm = vmm;
  }

  async put(call: string, body?: unknown): Promise<void> {
    await restCall(join(this.#directory, "api.sock"), "PUT", call, body);
  }

  async connect(): Promise<Duplex> {
    // A request that comes before the guest's driver is lost without a word: it is repeated, with more patience each time.
    for (let patienceMs = 100; ; patienceMs = Math.min(patienceMs * 2, MOST_PATIENCE_MS)) {
      const socket = await connectWhenReady(join(this.#directory, "v.sock"), this.vmm);
      socket.write(`CONNECT ${AGENT_PORT}\n`);
      if ((await firstBytes(socket, patienceMs))?.startsWith("OK ") === true) return socket;
      socket.destroy();
      await sleep(POLL_MS);
    }
  }

  async pause(): Promise<void> {
    await this.put("vm.pause");
  }

  async resume(): Promise<void> {
    await this.put("vm.resume");
  }

  async snapshot(directory: string): Promise<void> {
    await mkdir(directory);
    await this.put("vm.snapshot", { destination_url: `file://${directory}` });
    const memory = join(directory, "memory");
    await copyFile(join(this.#directory, "memory"), memory);
    const small = ["config.json", "state.json"].map((name) => join(directory, name));
    await syncFiles([...small, memory]);
  }

  async destroy(): Promise<void> {
    await this.put("vmm.shutdown");
    await this.vmm.ended;
    await rm(this.#directory, { recursive: true });
  }

  async kill(): Promise<void> {
    await this.vmm.kill();
  }
}

/** Undefined when nobody listens in the guest yet. The agent says nothing by itself, so these bytes are the device's answer alone. */
async function firstBytes(socket: Socket, patienceMs: number): Promise<string | undefined> {
  const stop = new AbortController();
  const { signal } = stop;
  socket.on("error", () => undefined);
  try {
    // Not "data": what flows has to be paused, and then stays so for its next reader.
    const data = once(socket, "readable", { signal }).then(() => String(socket.read()));
    const closed = once(socket, "close", { signal }).then(() => undefined);
    const late = sleep(patienceMs, undefined, { signal });
    return await Promise.race([data, closed, late]);
  } finally {
    stop.abort();
  }
}
