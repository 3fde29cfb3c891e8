import { existsSync } from "node:fs";
import type { Server } from "node:net";
import type { Outcome } from "./call-rule.ts";
import { memoryBytes, openOutputs, printOn, sharedFile, type ChConfig } from "./ch-config.ts";
import { done, missing, refused } from "./ch-outcome.ts";
import { loadSnapshot, saveMemory, saveState } from "./ch-snapshot.ts";
import { FakeGuest, type GuestEnd } from "./fake-guest.ts";
import { hybridVsock } from "./hybrid-vsock.ts";

type VmState = "Created" | "Running" | "Paused";

/** How long on-demand memory is filled in the background, in which snapshots are refused. */
const POPULATION_MS = 20;

/** What a VM's host gives it: where events go, and what happens when the guest ends it. */
export interface ChHost {
  readonly emit: (source: string, event: string, properties?: Record<string, string>) => void;
  readonly onPowerOff: () => void;
  readonly isDeaf: () => boolean;
}

/** The VM of a fake Cloud Hypervisor, with the state rules and the error chains of 53.0. */
export class ChVm {
  readonly #host: ChHost;
  #config: ChConfig | undefined;
  #state: VmState = "Created";
  #guest: FakeGuest | undefined;
  #vsock: Server | undefined;
  #balloonBytes = 0;
  #populatedAtMs = 0;

  constructor(host: ChHost) {
    this.#host = host;
  }

  create(config: ChConfig): Outcome {
    if (this.#config !== undefined) return refused("VmCreate", "VM is already created");
    if (config.payload === undefined)
      return { status: 400, chain: ["Failed to deserialize JSON", "missing field `payload`"] };
    this.#config = config;
    this.#state = "Created";
    openOutputs(config);
    return done;
  }

  async boot(): Promise<Outcome> {
    if (this.#config === undefined) return missing("VmBoot");
    if (this.#guest !== undefined)
      return refused("VmBoot", "Invalid transition: InvalidStateTransition(Running, Running)");
    this.#host.emit("vm", "booting");
    const { payload, disks = [] } = this.#config;
    for (const path of [payload?.kernel, payload?.initramfs, ...disks.map((disk) => disk.path)]) {
      if (path !== undefined && !existsSync(path)) {
        return refused("VmBoot", `Cannot open ${path}`, "No such file or directory (os error 2)");
      }
    }
    const problem = await this.#start(this.#config, undefined);
    if (problem !== undefined) return refused("VmBoot", ...problem);
    this.#print("fake guest: booted\n");
    this.#run();
    this.#host.emit("vm", "booted");
    return done;
  }

  async restore(source: string, mode: "Copy" | "OnDemand", resume: boolean): Promise<Outcome> {
    if (this.#config !== undefined) return refused("VmRestore", "VM is already created");
    this.#host.emit("vm", "restoring");
    const loaded = loadSnapshot(source);
    if ("chain" in loaded) return refused("VmRestore", ...loaded.chain);
    this.#config = loaded.config;
    openOutputs(loaded.config);
    const problem = await this.#start(loaded.config, loaded.memory);
    if (problem !== undefined) {
      this.#config = undefined;
      return refused("VmRestore", ...problem);
    }
    this.#balloonBytes = loaded.balloonBytes;
    this.#populatedAtMs = mode === "OnDemand" ? performance.now() + POPULATION_MS : 0;
    this.#state = "Paused";
    this.#host.emit("vm", "restored");
    return resume ? this.resume() : done;
  }

  pause(): Outcome {
    if (this.#guest === undefined) return missing("VmPause");
    if (this.#state !== "Running")
      return refused("VmPause", "Invalid transition: InvalidStateTransition(Paused, Paused)");
    this.#host.emit("vm", "pausing");
    this.#guest.pause();
    this.#state = "Paused";
    this.#host.emit("vm", "paused");
    return done;
  }

  resume(): Outcome {
    if (this.#guest === undefined) return missing("VmResume");
    if (this.#state !== "Paused")
      return refused("VmResume", "Invalid transition: InvalidStateTransition(Running, Running)");
    this.#host.emit("vm", "resuming");
    this.#run();
    this.#host.emit("vm", "resumed");
    return done;
  }

  resize(balloonBytes: number | undefined): Outcome {
    if (this.#config === undefined) return missing("VmResize");
    if (balloonBytes === undefined) return done;
    if (this.#config.balloon === undefined) return refused("VmResize", "No balloon device found");
    this.#host.emit("vm", "resizing");
    this.#balloonBytes = Math.min(balloonBytes, memoryBytes(this.#config));
    this.#host.emit("vm", "resized");
    return done;
  }

  snapshot(destination: string): Outcome {
    if (this.#guest === undefined || this.#config === undefined) return missing("VmSnapshot");
    if (this.#state !== "Paused") return refused("VmSnapshot", "VM is not in a paused state");
    if (performance.now() < this.#populatedAtMs) {
      return refused("VmSnapshot", "VM on-demand memory restore is still in progress");
    }
    this.#host.emit("vm", "snapshotting");
    try {
      saveState(destination, this.#config, this.#balloonBytes);
      this.#host.emit("vm", "snapshotted");
      if (sharedFile(this.#config) === undefined)
        saveMemory(destination, this.#config, this.#guest.dump());
    } catch (error) {
      return refused("VmSnapshot", "Cannot write the snapshot", String(error));
    }
    return done;
  }

  /** The VM's object goes, its configuration stays. */
  shutdown(): Outcome {
    if (this.#guest === undefined) return missing("VmShutdown");
    this.#stop();
    this.#host.emit("vm", "shutdown");
    return done;
  }

  delete(): Outcome {
    this.#stop();
    this.#config = undefined;
    this.#host.emit("vm", "deleted");
    return done;
  }

  info(): Outcome {
    if (this.#config === undefined) return missing("VmInfo");
    const actual = memoryBytes(this.#config) - this.#balloonBytes;
    return {
      status: 200,
      value: {
        config: this.#config,
        state: this.#state,
        memory_actual_size: actual,
        device_tree: {},
      },
    };
  }

  async #start(config: ChConfig, memory: Buffer | undefined): Promise<string[] | undefined> {
    const disk = config.disks?.[0]?.path;
    const guest = new FakeGuest({
      disk,
      memoryFile: sharedFile(config),
      onEnd: (end) => this.#onGuestEnd(end),
    });
    if (memory === undefined) guest.forget();
    else if (!guest.load(memory)) return ["Invalid memory content"];
    if (config.vsock !== undefined) {
      const problem = await this.#listen(config.vsock.socket, guest);
      if (problem !== undefined) return ["Cannot create virtio-vsock backend", problem];
    }
    this.#guest = guest;
    return undefined;
  }

  #listen(path: string, guest: FakeGuest): Promise<string | undefined> {
    const server = hybridVsock(guest, this.#host.isDeaf);
    return new Promise((resolve) => {
      server.once("error", (error) => resolve(String(error)));
      server.listen(path, () => {
        this.#vsock = server;
        resolve(undefined);
      });
    });
  }

  #run(): void {
    this.#state = "Running";
    this.#guest?.resume();
  }

  #stop(): void {
    this.#guest?.pause();
    this.#guest = undefined;
    this.#vsock?.close();
    this.#vsock = undefined;
    this.#state = "Created";
    this.#balloonBytes = 0;
  }

  #onGuestEnd(end: GuestEnd): void {
    if (end === "poweroff") {
      this.#host.onPowerOff();
    } else if (end === "reboot") {
      // The real one builds the VM again in the same process: a guest that nobody has initialised goes on.
      this.#host.emit("vm", "rebooting");
      this.#guest?.forget();
      this.#host.emit("vm", "rebooted");
    } else {
      this.#print("fake guest: Kernel panic - not syncing\n");
      this.#host.emit("guest", "panic", { event: "panic" });
    }
  }

  #print(text: string): void {
    if (this.#config !== undefined) printOn(this.#config, text);
  }
}
