import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import type { FakeCall } from "./behaviour.ts";
import { FakeGuest, readMemory, type GuestEnd } from "./fake-guest.ts";
import { encodeMigration, type MigrationStream } from "./migration-stream.ts";
import { openMemory, saveMemory } from "./qemu-memory.ts";
import { QemuMigration } from "./qemu-migration.ts";
import type { QemuOptions } from "./qemu-options.ts";
import { QmpError, type QmpMachine } from "./qmp-server.ts";

type Status = "prelaunch" | "inmigrate" | "running" | "paused" | "postmigrate" | "guest-panicked";

/** What a machine's host gives it. */
export interface QemuHost {
  readonly version: string;
  readonly emit: (event: string, data?: object) => void;
  /** Ends the process; `message` goes to the log. */
  readonly exit: (code: number, message?: string) => void;
  /** Writes a trace event to the log, where the command line enables it. */
  readonly trace: (event: string, text: string) => void;
}

const shared: Readonly<Record<string, FakeCall>> = {
  "query-uuid": "ping",
  "query-status": "info",
  stop: "pause",
  balloon: "balloon",
  migrate: "snapshot",
  "xen-save-devices-state": "snapshot",
  "migrate-incoming": "restore",
  quit: "quit",
};

/** The virtual machine of a fake QEMU 7.2. */
export class QemuMachine implements QmpMachine {
  readonly greeting: object;
  readonly guest: FakeGuest;
  readonly #options: QemuOptions;
  readonly #host: QemuHost;
  readonly #version: object;
  readonly #migration: QemuMigration;
  #status: Status = "prelaunch";
  #balloonBytes = 0;
  #hasRun = false;

  constructor(options: QemuOptions, host: QemuHost) {
    this.#options = options;
    this.#host = host;
    this.#migration = new QemuMigration(host.emit);
    const [major = 0, minor = 0, micro = 0] = (/^\d+(\.\d+)*/.exec(host.version)?.[0] ?? "")
      .split(".")
      .map(Number);
    this.#version = {
      qemu: { major, minor, micro },
      package: /\((.*)\)/.exec(host.version)?.[1] ?? "",
    };
    this.greeting = { version: this.#version, capabilities: ["oob"] };
    const { memoryFile } = options;
    if (memoryFile !== undefined) openMemory(memoryFile, options);
    this.guest = new FakeGuest({
      disk: options.disks[0],
      memoryFile: memoryFile?.shared === true ? memoryFile.path : undefined,
      onEnd: (end) => this.#onGuestEnd(end),
    });
    if (options.incoming === undefined) this.guest.forget();
  }

  /** Boots, waits for `cont`, or waits for a state, as the command line says. */
  start(): void {
    if (this.#options.incoming !== undefined) {
      this.#status = "inmigrate";
      if (this.#options.incoming !== "defer") void this.#receive(this.#options.incoming);
    } else if (!this.#options.startsStopped) this.#run();
  }

  sharedName(command: string): FakeCall | undefined {
    if (command === "cont") return this.#hasRun ? "resume" : "boot";
    return shared[command];
  }

  execute(command: string, argument: Record<string, unknown>): unknown {
    switch (command) {
      case "query-uuid":
        return { UUID: this.#options.uuid };
      case "query-version":
        return this.#version;
      case "query-status":
        return { status: this.#status, running: this.#status === "running", singlestep: false };
      case "query-kvm":
        return { enabled: false, present: true };
      case "stop":
        return this.#stop();
      case "cont":
        return this.#cont();
      case "balloon":
        return this.#balloon(argument["value"]);
      case "query-balloon":
        this.#needBalloon();
        return { actual: this.#options.memoryBytes - this.#balloonBytes };
      case "query-chardev":
        return this.#chardevs();
      case "query-memory-size-summary":
        return { "base-memory": this.#options.memoryBytes, "plugged-memory": 0 };
      case "migrate-set-capabilities":
        this.#migration.setCapabilities(argument["capabilities"]);
        return {};
      case "migrate-set-parameters":
      case "set-action":
        return {};
      case "migrate":
        return this.#migrate(String(argument["uri"]));
      case "migrate_cancel":
        this.#migration.cancel();
        return {};
      case "xen-save-devices-state":
        writeFileSync(String(argument["filename"]), encodeMigration(this.#state(undefined)));
        return {};
      case "pmemsave":
        saveMemory(this.guest, {
          address: Number(argument["val"]),
          bytes: Number(argument["size"]),
          path: String(argument["filename"]),
        });
        return {};
      case "query-migrate":
        return this.#migration.status;
      case "migrate-incoming":
        return this.#incoming(String(argument["uri"]));
      case "quit":
        this.#host.trace("qemu_system_shutdown_request", "reason=2");
        this.#host.emit("SHUTDOWN", { guest: false, reason: "host-qmp-quit" });
        setImmediate(() => this.#host.exit(0));
        return {};
      default:
        throw new QmpError("CommandNotFound", `The command ${command} has not been found`);
    }
  }

  /** Its guest opens its ports at once. */
  #chardevs(): object[] {
    return this.#options.guestPorts.map((path) => ({
      label: `port${basename(path, ".sock")}`,
      filename: `unix:${path},server=on`,
      "frontend-open": true,
    }));
  }

  #run(): void {
    if (!this.#hasRun && this.#options.incoming === undefined) this.#print("fake guest: booted\n");
    this.#hasRun = true;
    this.#status = "running";
    this.guest.resume();
    this.#host.emit("RESUME");
  }

  #stop(): object {
    if (this.#status === "running") {
      this.guest.pause();
      this.#status = "paused";
      this.#host.emit("STOP");
    }
    return {};
  }

  #cont(): object {
    if (this.#status === "inmigrate")
      throw new QmpError("GenericError", "Expecting a migration to finish");
    if (this.#status === "guest-panicked")
      throw new QmpError("GenericError", "Resetting the Virtual Machine is required");
    if (this.#status !== "running") this.#run();
    else for (const event of ["STOP", "RESUME"]) this.#host.emit(event);
    return {};
  }

  #needBalloon(): void {
    if (!this.#options.hasBalloon)
      throw new QmpError("DeviceNotActive", "No balloon device has been activated");
  }

  #balloon(target: unknown): object {
    this.#needBalloon();
    if (typeof target !== "number" || target <= 0)
      throw new QmpError("GenericError", "Parameter 'target' expects a size");
    this.#balloonBytes = Math.max(0, this.#options.memoryBytes - target);
    this.#host.emit("BALLOON_CHANGE", { actual: this.#options.memoryBytes - this.#balloonBytes });
    return {};
  }

  #migrate(uri: string): object {
    if (this.#status === "inmigrate")
      throw new QmpError("GenericError", "Guest is waiting for an incoming migration");
    const leavesMemory = this.#migration.ignoresShared && this.#options.memoryFile?.shared === true;
    const memory = leavesMemory ? undefined : this.guest.dump().toString("base64");
    this.#migration.send(uri, this.#state(memory), () => {
      this.guest.pause();
      this.#status = "postmigrate";
    });
    return {};
  }

  #state(memory: string | undefined): MigrationStream {
    const { memoryBytes } = this.#options;
    return { memory, memoryBytes, balloonBytes: this.#balloonBytes };
  }

  #incoming(uri: string): Promise<object> | object {
    if (this.#options.incoming !== "defer" || this.#status !== "inmigrate") {
      throw new QmpError("GenericError", "The incoming migration has already been started");
    }
    return this.#receive(uri);
  }

  #receive(uri: string): Promise<object> {
    const listening = this.#migration.receive(
      uri,
      (stream) => this.#arrived(stream),
      (error) => this.#host.exit(1, `load of migration failed: ${String(error)}`),
    );
    return listening.then(() => ({}));
  }

  #arrived(stream: MigrationStream): void {
    const { memoryBytes, memoryFile } = this.#options;
    if (stream.memoryBytes !== memoryBytes) {
      this.#host.exit(
        1,
        `Size mismatch: pc.ram: 0x${stream.memoryBytes.toString(16)} != 0x${memoryBytes.toString(16)}: Invalid argument`,
      );
      return;
    }
    const fromFile = memoryFile === undefined ? undefined : readMemory(memoryFile.path);
    const memory = stream.memory === undefined ? fromFile : Buffer.from(stream.memory, "base64");
    if (memory === undefined || !this.guest.load(memory)) {
      this.#host.exit(1, "load of migration failed: Invalid argument");
      return;
    }
    this.#balloonBytes = stream.balloonBytes;
    this.#migration.complete();
    this.#status = "paused";
    if (!this.#options.startsStopped) this.#run();
    this.#hasRun = true;
  }

  #onGuestEnd(end: GuestEnd): void {
    if (end === "panic") {
      this.#print("fake guest: Kernel panic - not syncing\n");
      this.#host.emit("GUEST_PANICKED", { action: "poweroff" });
      this.#host.trace("qemu_system_shutdown_request", "reason=8");
      this.#host.exit(this.#options.panicCode);
    } else if (end === "poweroff" || this.#options.exitsOnReboot) {
      this.#host.emit("SHUTDOWN", {
        guest: true,
        reason: end === "poweroff" ? "guest-shutdown" : "guest-reset",
      });
      // A reboot is the one orderly end that 7.2 does not trace as a request.
      if (end === "poweroff") this.#host.trace("qemu_system_shutdown_request", "reason=6");
      this.#host.trace("runstate_set", "current_run_state 9 (running) new_state 7 (shutdown)");
      this.#host.exit(0);
    } else {
      this.#host.emit("RESET", { guest: true, reason: "guest-reset" });
      this.guest.forget();
    }
  }

  #print(text: string): void {
    const { consoleFile } = this.#options;
    if (consoleFile !== undefined) writeFileSync(consoleFile, text, { flag: "a" });
  }
}
