// Starts the launcher as the manager does, for its tests.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { buildNative } from "../../packages/sandbox/src/setup/native-build.ts";
import { prerequisite } from "@virga/testkit";

/** What the launcher writes when a step fails. */
interface Report {
  readonly step: string;
  readonly errno: number;
  readonly code?: string;
  readonly path?: string;
}

/** How the launcher ended. */
export interface Ended {
  readonly report: Report | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

export interface LaunchOptions {
  readonly uid?: number;
  readonly detached?: boolean;
  /** A command that execs what follows it, put in front of the launcher: `["env", "--block-signal=TERM"]`. */
  readonly prefix?: readonly string[];
  /** Pipes given beyond descriptor 3, which the launcher must not pass on. */
  readonly leaked?: number;
}

const programs = ["musl-gcc", "gcc"];

export const compilerSkip: false | string = prerequisite(
  "compiler",
  programs.every((name) => spawnSync(name, ["--version"]).status === 0)
    ? undefined
    : "musl-gcc or gcc is not installed",
);

/** Reason to skip what needs to make namespaces and mounts. */
export const rootSkip: false | string = prerequisite(
  "root",
  hasSysAdmin() ? undefined : "needs CAP_SYS_ADMIN",
);

function hasSysAdmin(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/mu.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return (BigInt(`0x${effective ?? "0"}`) & (1n << 21n)) !== 0n;
}

/** Builds the launcher; gives the path of the program. */
export async function buildLauncher(sanitize: boolean): Promise<string> {
  const sourceDir = fileURLToPath(new URL("..", import.meta.url));
  const [program] = await buildNative({
    sourceDir,
    outDir: `${sourceDir}build`,
    only: ["launcher"],
    sanitize,
  });
  if (program === undefined) throw new Error("the launcher was not built");
  return program.path;
}

/** A folder for a suite, which removes it, and in it a launcher that every user can run: a checkout need not be readable for others. */
export async function copyLauncher(
  sanitize: boolean,
): Promise<{ readonly directory: string; readonly binary: string }> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "virga-launcher-")));
  chmodSync(directory, 0o755);
  const binary = join(directory, "launcher");
  copyFileSync(await buildLauncher(sanitize), binary);
  chmodSync(binary, 0o755);
  return { directory, binary };
}

/** A launcher that waits for the go byte. It is killed when its test ends. */
export class Launched {
  readonly pid: number;
  /** The manager's end of descriptor 3. */
  readonly channel: Duplex;
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;
  readonly #reported: Promise<string>;
  readonly #stderr: Promise<string>;

  constructor(binary: string, args: readonly string[], options: LaunchOptions = {}) {
    const [command = binary, ...rest] = [...(options.prefix ?? []), binary, ...args];
    const leaked = Array.from({ length: options.leaked ?? 0 }, () => "pipe" as const);
    const child = spawn(command, rest, {
      stdio: ["ignore", "ignore", "pipe", "pipe", ...leaked],
      detached: options.detached ?? false,
      ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
    });
    if (child.pid === undefined) throw new Error(`cannot spawn ${command}`);
    this.pid = child.pid;
    this.#child = child;
    this.#exit = once(child, "exit");
    this.channel = child.stdio[3] as Duplex;
    this.#reported = strictText(this.channel).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ERR_STREAM_PREMATURE_CLOSE") return "";
      throw error;
    });
    this.#stderr = text(child.stderr as Readable);
  }

  go(): void {
    this.channel.write("g");
  }

  /** Resolves when descriptor 3 is closed on the other side: by the exec, or by the launcher's end. */
  async reported(): Promise<string> {
    return this.#reported;
  }

  async ended(): Promise<Ended> {
    const line = await this.reported();
    const [code, signal] = (await this.#exit) as [number | null, NodeJS.Signals | null];
    const report: Report | undefined = line === "" ? undefined : JSON.parse(line);
    return { report, code, signal, stderr: await this.#stderr };
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGKILL");
      await this.#exit;
    }
    this.channel.destroy();
  }
}

// The lenient decoder would hide bytes that are not UTF-8.
async function strictText(stream: Readable): Promise<string> {
  return new TextDecoder("utf-8", { fatal: true }).decode(await buffer(stream));
}

/** Starts the launcher and leaves it waiting for the go byte. */
export function start(
  t: TestContext,
  binary: string,
  args: readonly string[],
  options?: LaunchOptions,
): Launched {
  const launched = new Launched(binary, args, options);
  t.after(() => launched.kill());
  return launched;
}

/** Starts the launcher, sends go and waits until its program runs. Fails with the report when it does not. */
export async function run(
  t: TestContext,
  binary: string,
  args: readonly string[],
  options?: LaunchOptions,
): Promise<Launched> {
  const launched = start(t, binary, [...args, "--", "/bin/sleep", "600"], options);
  launched.go();
  const report = await launched.reported();
  if (report !== "") throw new Error(`the launcher failed: ${report}`);
  // Past its dynamic loader, whose files would be seen among the descriptors.
  await waitForState(launched.pid, "S");
  return launched;
}

/** Starts the launcher with a command line whose steps fail after go, and gives how it ended. */
export async function fail(
  t: TestContext,
  binary: string,
  args: readonly string[],
  options?: LaunchOptions,
): Promise<Ended> {
  const launched = start(t, binary, args, options);
  launched.go();
  return launched.ended();
}

/** A file of a process in /proc, as text. */
export function processFile(pid: number, name: string): string {
  return readFileSync(`/proc/${pid}/${name}`, "utf8");
}

/** A field of /proc/PID/stat by its number in proc(5), from 3 on. */
export function processStat(pid: number, field: number): string {
  const stat = processFile(pid, "stat");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[field - 3] ?? "";
}

/** Waits until a process is in the state of this letter in proc(5): `S` is asleep, `T` is stopped. */
export async function waitForState(pid: number, letter: "S" | "T"): Promise<void> {
  while (processStat(pid, 3) !== letter) await turn();
}

/** The value of a line of /proc/PID/status. */
export function processStatus(pid: number, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, "mu").exec(processFile(pid, "status"))?.[1] ?? "";
}
