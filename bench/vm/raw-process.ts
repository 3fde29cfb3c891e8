import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A VMM that was spawned by hand. */
export interface RawProcess {
  /** Throws once it has ended. */
  checkAlive(): void;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  kill(): Promise<void>;
}

const POLL_MS = 2;

/**
 * Spawns a VMM, its output (on Cloud Hypervisor also its events, on descriptor 4) going to a file of its directory as Virga does it, and in a session of
 * its own too: the kernel shares processors out by session, so that on a busy machine a VMM in the bench's own session would have another share than Virga's.
 */
export function spawnRaw(argv: readonly string[], directory: string): RawProcess {
  const log = openSync(join(directory, "vmm.log"), "a", 0o600);
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    stdio: ["ignore", log, log, "ignore", log],
    detached: true,
  });
  closeSync(log);
  const ended = once(child, "exit").then(() => undefined);
  return {
    checkAlive: () => {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`${program} ended by itself: see ${directory}/vmm.log`);
      }
    },
    ended,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Connects to a Unix socket as soon as it is there. */
export async function connectWhenReady(path: string, vmm: RawProcess): Promise<Socket> {
  for (;;) {
    vmm.checkAlive();
    const socket = connect({ path });
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    if (connected) return socket;
    await sleep(POLL_MS);
  }
}
