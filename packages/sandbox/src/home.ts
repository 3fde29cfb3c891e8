import { chmod, mkdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { VirgaError, errorText, socketProblem } from "@virga/vm";
import { SANDBOX_ID_LENGTH } from "./sandbox-id.ts";

/** Where Virga keeps everything on this machine. */
export interface Home {
  /** What must outlive a reboot: the folders below lie in it. */
  readonly state: string;
  /** What must not: sockets and locks of running VMs. */
  readonly run: string;
  /** Guest kernels, one folder each. */
  readonly kernel: string;
  readonly initramfs: string;
  /** The busybox that guests get. */
  readonly busybox: string;
  /** Agent and launcher, when built from a checkout. */
  readonly native: string;
  readonly images: string;
  readonly templates: string;
  /** What sandboxes write: one disk each. */
  readonly disks: string;
  /** One folder per VM. */
  readonly vms: string;
  /** One folder per sandbox: its lock, and its memory while it is suspended. */
  readonly sandboxes: string;
  /** One folder per snapshot. */
  readonly snapshots: string;
  /** The catalogue, a database of SQLite: names, relations, intents. */
  readonly catalog: string;
  /** One folder per VM with a network: what serves it. Not for longer than the VM runs. */
  readonly networks: string;
  /** Lock file of set-up: one process at a time changes what the machine has. */
  readonly setupLock: string;
}

/** Environment and user that decide where the directories are. */
export interface HomeInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  /** The user's home directory. */
  readonly userHome: string;
}

/**
 * Decides where Virga's directories are, without touching them. `VIRGA_HOME` moves all; else root has `/var/lib/virga` and `/run/virga`, other users have
 * `virga` in `$XDG_DATA_HOME` (default `~/.local/share`) and in `$XDG_RUNTIME_DIR` (default: `run` in the former). `INVALID_CONFIG` when
 * `VIRGA_HOME` is not absolute.
 */
export function homePaths(input: HomeInput = thisProcess()): Home {
  const { env } = input;
  const given = env["VIRGA_HOME"];
  if (given !== undefined && given !== "") {
    if (!isAbsolute(given)) {
      throw new VirgaError(
        "INVALID_CONFIG",
        `VIRGA_HOME is "${given}": it must be an absolute path`,
      );
    }
    return layout(given, join(given, "run"));
  }
  if (input.uid === 0) return layout("/var/lib/virga", "/run/virga");
  const state = join(
    absolute(env["XDG_DATA_HOME"]) ?? join(input.userHome, ".local/share"),
    "virga",
  );
  const runtime = absolute(env["XDG_RUNTIME_DIR"]);
  return layout(state, runtime === undefined ? join(state, "run") : join(runtime, "virga"));
}

/**
 * Where facts about this machine are kept until it boots again: the same for every state directory of this user, wherever `VIRGA_HOME` is. Nothing is
 * touched.
 */
export function machineDirectory(input: HomeInput = thisProcess()): string {
  const { VIRGA_HOME: _moved, ...env } = input.env;
  return join(homePaths({ ...input, env }).run, "machine");
}

/**
 * Makes the directories that are missing, for this user only (mode 0700), and gives their paths. `INVALID_CONFIG` when one of them belongs to somebody else:
 * whoever owns it could swap what is run as this user; and when the state directory's path is too long for sockets. `IO_ERROR` when one cannot be made.
 */
export async function openHome(home: Home = homePaths()): Promise<Home> {
  const tooLong = whyTooLong(home);
  if (tooLong !== undefined) {
    throw new VirgaError("INVALID_CONFIG", `Cannot use ${home.state}: ${tooLong}`, {
      details: { path: home.state },
      hint: "Set VIRGA_HOME to a shorter path.",
    });
  }
  const { state, run, kernel, initramfs, busybox, native, images, templates } = home;
  const { disks, vms, sandboxes, snapshots } = home;
  const assets = [kernel, initramfs, busybox, native, images, templates];
  const inside = [...assets, disks, vms, sandboxes, snapshots, home.networks];
  for (const path of [state, run, ...inside]) await ownDirectory(path);
  return home;
}

/** Why no VM can live below this state directory; undefined where one can. Sockets have short paths: that is told at once, and not when the first VM is made. */
export function whyTooLong({ vms }: Home): string | undefined {
  const problem = socketProblem(join(vms, "i".repeat(SANDBOX_ID_LENGTH)));
  return problem && `VMs need ${problem.allowed}`;
}

function layout(state: string, run: string): Home {
  return {
    state,
    run,
    kernel: join(state, "kernel"),
    initramfs: join(state, "initramfs"),
    busybox: join(state, "busybox"),
    native: join(state, "native"),
    images: join(state, "images"),
    templates: join(state, "templates"),
    disks: join(state, "disks"),
    vms: join(state, "vms"),
    sandboxes: join(state, "sandboxes"),
    snapshots: join(state, "snapshots"),
    catalog: join(state, "catalog.sqlite"),
    networks: join(run, "networks"),
    setupLock: join(state, "setup.lock"),
  };
}

function thisProcess(): HomeInput {
  return { env: process.env, uid: process.geteuid?.() ?? -1, userHome: homedir() };
}

// The XDG specification: a relative path is ignored.
function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

async function ownDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const { uid, mode } = await stat(path);
    const self = process.geteuid?.();
    if (uid !== self) {
      throw new VirgaError(
        "INVALID_CONFIG",
        `Cannot use ${path}: it belongs to user ${uid}, and this is user ${self}`,
        {
          details: { path, owner: uid },
          hint: "Set VIRGA_HOME to a directory of your own.",
        },
      );
    }
    if ((mode & 0o077) !== 0) await chmod(path, 0o700);
  } catch (cause) {
    if (cause instanceof VirgaError) throw cause;
    throw new VirgaError("IO_ERROR", `Cannot make the directory ${path}: ${errorText(cause)}`, {
      cause,
      details: { path },
      hint: "Set VIRGA_HOME to a directory of your own.",
    });
  }
}
