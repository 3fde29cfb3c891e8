import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, isVirgaError, startHelper } from "@virga/vm";
import type { Logger } from "@virga/vm";
import type { Home } from "../home.ts";
import type { ReadyAssets } from "../setup/ready-cache.ts";
import { findProgram, requirements } from "../setup/requirements.ts";
import { installCommand } from "../setup/packages.ts";
import { networkDirectory, networkSocket } from "./guest-network.ts";
import { writeNetworkRecord } from "./network-record.ts";
import { passtCommand } from "./passt-command.ts";
import { removeNetwork } from "./remove-network.ts";

/** A busy machine may take its time; passt itself needs tens of milliseconds. */
const READY_MS = 30_000;

/** What either of them may write to its log: nothing, in a good life. */
const LOG_BYTES = 64 * 1024;

/** Longest path of a Unix socket; the guard makes it under a name with an ending. */
const MAX_SOCKET_BYTES = 107 - ".new".length;

/** Whose network, and with what. */
export interface StartNetworkOptions {
  readonly home: Home;
  /** Id of the VM. */
  readonly id: string;
  readonly assets: Pick<ReadyAssets, "launcher" | "passtGuard">;
  readonly logger: Logger;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts what carries VM `id`'s frames, in place of what may have done so before: to be called before its VMM is started, each time, because it ends with
 * the VMM. Whoever calls it has registered `removeNetwork`. `SETUP_NEEDED` without passt; `LAUNCH_FAILED` with its words where it cannot serve, as on a
 * machine without a default route.
 */
export async function startNetwork(options: StartNetworkOptions): Promise<void> {
  const { home, id, assets, logger, signal } = options;
  const socket = networkSocket(home, id);
  const passt = await findPasst();
  checkLength(socket);
  await removeNetwork(home, id, logger);
  const directory = networkDirectory(home, id);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    await startHelper({
      launcher: assets.launcher,
      argv: passtCommand({ guard: assets.passtGuard, passt, socket }),
      logPath: join(directory, "log"),
      rlimits: { core: 0, fsize: LOG_BYTES },
      writeDown: (process) => writeNetworkRecord(home, id, process),
      isReady: () => existsSync(socket),
      timeoutMs: READY_MS,
      signal,
      logger,
    });
  } catch (error) {
    await removeNetwork(home, id, logger);
    throw explained(error);
  }
}

async function findPasst(): Promise<string> {
  const found = await findProgram("passt");
  if (found !== undefined) return found;
  const packages = requirements.network.map((requirement) => requirement.package);
  throw new VirgaError("SETUP_NEEDED", "This machine lacks passt (to give sandboxes a network)", {
    details: { packages },
    hint: `Run: ${installCommand(packages)}`,
  });
}

function checkLength(socket: string): void {
  const bytes = Buffer.byteLength(socket);
  if (bytes <= MAX_SOCKET_BYTES) return;
  throw new VirgaError(
    "INVALID_CONFIG",
    `Socket path is ${bytes} bytes long, at most ${MAX_SOCKET_BYTES} are possible: ${socket}`,
    { details: { path: socket, bytes }, hint: "Set VIRGA_HOME to a shorter path." },
  );
}

function explained(error: unknown): unknown {
  if (!isVirgaError(error) || error.code !== "LAUNCH_FAILED") return error;
  const log = error.details["logTail"];
  if (typeof log !== "string") return error;
  const words = log
    .replace(/^virga-passt-guard: passt: /u, "")
    .split("\n")
    // It says this of every line where nobody listens to the system's log, and always that it leaves root's rights.
    .filter((line) => !/^Failed to send \d+ bytes to syslog|^Don't run as root/u.test(line))
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return new VirgaError(
    "LAUNCH_FAILED",
    `Cannot give the sandbox a network: passt says: ${words.join("; ") || "nothing"}`,
    {
      cause: error,
      details: { logTail: log },
      hint: "passt needs an IPv4 default route on this machine, and the right to make user namespaces.",
    },
  );
}
