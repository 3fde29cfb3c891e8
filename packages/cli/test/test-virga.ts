import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { patientMs } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import { ensureReady, homePaths } from "@virga/sandbox";

const source = ["--conditions=virga-source", path("../src/main.ts")] as const;
const built = [path("../bin/virga.js")] as const;

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}

/** How a `virga` ended. */
export interface VirgaEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the commands tell of a sandbox, as far as it is looked at here. */
export interface SandboxFacts {
  readonly id: string;
  readonly name: string | null;
  readonly state: string;
  readonly image: string;
  readonly hypervisor: string;
  readonly accelerator: string;
  readonly pid: number | null;
  readonly restoreMode: string | null;
  readonly restoreReason: string | null;
  readonly parent: string | null;
  readonly vcpus: number;
  readonly memoryMib: number;
  /** Milliseconds by operation and step. */
  readonly timings: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** A `virga` with a state directory of the test's own. */
export interface TestVirga {
  readonly home: string;
  /** Words that start it. */
  readonly argv: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  start(args: readonly string[], options?: SpawnOptions): ChildProcess;
  run(args: readonly string[], input?: string): Promise<VirgaEnd>;
  /** Runs one that must go well, without a word on standard error, and gives its output. */
  ok(args: readonly string[], input?: string): Promise<string>;
  /** The same with `--json`, and what it prints. */
  json<T>(...args: readonly string[]): Promise<T>;
  /** Names of templates that are whole. */
  templates(): Promise<string[]>;
  /** What is left of VMs. */
  leftovers(): Promise<string[]>;
}

/** How to start `virga` from the sources in that state directory, where no command sets anything up by the way. */
export function virgaIn(home: string): Pick<TestVirga, "argv" | "env"> {
  return {
    argv: [process.execPath, ...source],
    env: { ...process.env, VIRGA_HOME: home, VIRGA_SETUP: "never" },
  };
}

/**
 * Makes a state directory that shares this machine's kernel, agent and launcher, and has nothing else. `isBuilt`: what `tsc -b` made is run, as users run it, which
 * starts in a fifth of the time.
 */
export async function testVirga(
  place: TestPlace,
  { isBuilt = false }: { readonly isBuilt?: boolean } = {},
): Promise<TestVirga> {
  await ensureReady();
  const shared = homePaths();
  const home = join(place.scratch, "h");
  await mkdir(home, { mode: 0o700 });
  for (const name of ["kernel", "initramfs", "busybox", "native"] as const) {
    await symlink(shared[name], join(home, name));
  }
  const fromSource = virgaIn(home);
  const env = { ...fromSource.env, VIRGA_GUEST_TIMEOUT_MS: String(patientMs(120_000)) };
  const argv = isBuilt ? ([process.execPath, ...built] as const) : fromSource.argv;
  const start: TestVirga["start"] = (args, options = {}) =>
    spawn(argv[0], [...argv.slice(1), ...args], { env, stdio: "pipe", ...options });
  const run: TestVirga["run"] = async (args, input = "") => {
    const child = start(args);
    // A command may end before it has read everything.
    child.stdin?.on("error", () => undefined).end(input);
    return endOf(child);
  };
  const ok: TestVirga["ok"] = async (args, input) => {
    const { code, stdout, stderr } = await run(args, input);
    assert.deepEqual([code, stderr], [0, ""], args.join(" "));
    return stdout;
  };
  return {
    home,
    argv: [...argv],
    env,
    start,
    run,
    ok,
    json: async (...args) => JSON.parse(await ok([...args, "--json"])),
    templates: async () => (await list(join(home, "templates"))).filter((n) => /^\w{32}$/.test(n)),
    leftovers: async () => [
      ...(await list(join(home, "vms"))).filter((name) => name !== ".builds"),
      ...(await list(join(home, "owners"))),
      ...(await list(join(home, "disks"))),
      ...(await list(join(home, "sandboxes"))),
      ...(await list(join(home, "snapshots"))),
    ],
  };
}

/** Waits for the end of a child and what it wrote. */
export async function endOf(child: ChildProcess): Promise<VirgaEnd> {
  const [stdout, stderr, [code, signal]] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>,
  ]);
  return { code, signal, stdout, stderr };
}

async function textOf(stream: Readable | null): Promise<string> {
  if (stream === null) return "";
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

async function list(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}
