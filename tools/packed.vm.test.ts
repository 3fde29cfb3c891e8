// The packages as users get them: packed, installed in another place, used from there.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { homePaths, ensureReady } from "@virga/sandbox";
import { prerequisite, qemuMissing } from "@virga/testkit";
import * as virga from "virga";
import { nativePrograms } from "../packages/sandbox/src/setup/native-build.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const packages = ["vm", "guest", "sandbox", "cli"];
const hasCompiler = spawnSync("musl-gcc", ["--version"]).status === 0;
const skip = prerequisite(
  "compiler",
  hasCompiler ? undefined : "musl-gcc is not installed, which packing needs",
);

const consumer = `
import type { Duplex } from "node:stream";
import { CommandError, Sandbox, Snapshots, VERSION, isGuestError, type RunResult, type SandboxProcess } from "virga";
import type { ForkOptions, GuestFiles, OperationTimings, SandboxInfo, SnapshotInfo } from "virga";
import { AgentClient } from "@virga/guest";
import { ensureNative } from "@virga/sandbox";
import { VmManager, isVirgaError, type VmConfig } from "@virga/vm";

const version: string = VERSION;
// @ts-expect-error The type is known, and not any.
const number: number = VERSION;
export const config: VmConfig = { sandboxId: "a", kernel: "/vmlinux", memoryMib: 256 };
// @ts-expect-error Memory is a number.
export const wrong: VmConfig = { sandboxId: "a", memoryMib: "256" };
export async function connect(manager: VmManager): Promise<Duplex> {
  await using vm = await manager.create(config);
  return vm.connectGuest({ timeoutMs: 1_000 });
}
export async function output(): Promise<string> {
  await using sandbox = await Sandbox.create({ memoryMib: 128 });
  return (await sandbox.run(["uname"])).stdout;
}
export async function processes(sandbox: Sandbox): Promise<number> {
  const child: SandboxProcess = sandbox.spawn(["cat"], { stdin: true, reject: false });
  child.stdin.end("{}");
  for await (const value of child.json<{ readonly a?: number }>()) console.log(value.a?.toFixed());
  for await (const line of sandbox.spawn(["true"])) console.log(line.toUpperCase());
  const result: RunResult = await sandbox.spawn(["true"]);
  // @ts-expect-error Misspelt.
  await sandbox.run(["true"], { timeout: 1 });
  try {
    await sandbox.run(["false"]);
  } catch (error) {
    if (error instanceof CommandError) return error.exitCode;
  }
  await using forward = await sandbox.forward(80, { localPort: 0 });
  await using terminal = await sandbox.terminal({ columns: 80, rows: 25 });
  terminal.output.pipe(process.stdout);
  return result.exitCode + forward.port + (await terminal.wait()).exitCode;
}
export async function life(signal: AbortSignal): Promise<readonly (OperationTimings | SnapshotInfo)[]> {
  const sandbox: Sandbox = await Sandbox.connect("name");
  const options: ForkOptions = { signal, ephemeral: true };
  const states = (await sandbox.fork(2, options)).map(async (fork) => (await fork.info()).state);
  // @ts-expect-error There is no such state.
  if ((await states[0]) === "asleep") await sandbox.resume({ signal });
  const { timings, restoreMode }: SandboxInfo = await sandbox.info();
  // @ts-expect-error It is null where nothing was restored.
  restoreMode.length;
  const files: GuestFiles = sandbox.files;
  try {
    await files.upload("a", "/a", { signal });
  } catch (error) {
    if (isVirgaError(error) || isGuestError(error)) console.log(error.code);
  }
  // @ts-expect-error It is made, and not constructed.
  new Sandbox();
  return [timings, ...(await new Snapshots().list())];
}
export { AgentClient, ensureNative, isVirgaError, number, version };
`;

describe("packed packages, installed in another place", { skip }, () => {
  let work: string;
  let home: string;
  /** `VIRGA_HOME` of what is run. */
  let state: string;

  function run(command: string, ...args: string[]): string {
    const env: NodeJS.ProcessEnv = { VIRGA_HOME: state };
    for (const [name, value] of Object.entries(process.env)) {
      // What an outer npm and node tell their children would tie this npm to the checkout.
      if (
        !/^(?:npm_(?!config_)|npm_config_local_prefix$|NODE_OPTIONS$|NODE_TEST_|VIRGA_)/u.test(name)
      )
        env[name] = value;
    }
    env["PATH"] = `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`;
    const cwd = command === "npm" && args[0] === "pack" ? root : home;
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      cwd,
      encoding: "utf8",
      env,
    });
    const output = `${stdout}${stderr}${error?.message ?? ""}`;
    assert.equal(status, 0, `${command} ${args.join(" ")}:\n${output}`);
    return stdout;
  }

  before(() => {
    work = realpathSync(mkdtempSync(join(tmpdir(), "virga-packed-")));
    home = join(work, "consumer");
    state = join(work, "h");
    mkdirSync(home);
    const workspaces = packages.flatMap((name) => ["-w", `packages/${name}`]);
    const packed = run("npm", "pack", "--json", "--pack-destination", work, ...workspaces);
    const tarballs: { filename: string }[] = Object.values(
      JSON.parse(packed.slice(packed.search(/^[[{]/mu))),
    );
    assert.equal(tarballs.length, packages.length);
    writeFileSync(join(home, "package.json"), '{"name":"consumer","private":true,"type":"module"}');
    const files = tarballs.map(({ filename }) => join(work, filename));
    run("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", ...files);
  });

  after(() => {
    rmSync(work, { recursive: true, force: true });
  });

  test("the command runs", () => {
    const { VERSION } = virga;
    assert.equal(run(join(home, "node_modules/.bin/virga"), "--version"), `${VERSION}\n`);
  });

  test("a command runs in a microVM made of what they carry", { skip: qemuMissing() }, async () => {
    await ensureReady();
    mkdirSync(state, { mode: 0o700 });
    // Of the distribution, and so no business of the packages.
    for (const name of ["kernel", "busybox"] as const)
      symlinkSync(homePaths()[name], join(state, name));
    const options = ["--hypervisor", "qemu", "--memory", "128", "--cold"];
    const virgaCommand = join(home, "node_modules/.bin/virga");
    assert.equal(run(virgaCommand, "run", ...options, "--", "uname", "-s"), "Linux\n");
    assert.deepEqual(readdirSync(join(state, "vms")), [".builds"]);
    assert.deepEqual(readdirSync(join(state, "native")), [], "nothing was compiled");
  });

  test("the library exports what it does in the checkout", () => {
    const names = run(
      process.execPath,
      "--input-type=module",
      "-e",
      'console.log(JSON.stringify(Object.keys(await import("virga"))))',
    );
    assert.deepEqual(JSON.parse(names).toSorted(), Object.keys(virga).toSorted());
  });

  test("the native programs come with it and are found", async () => {
    const programs = (await nativePrograms(join(root, "native"))).filter(
      (name) => !name.startsWith("test-"),
    );
    assert.ok(programs.includes("launcher"));
    const output = run(
      process.execPath,
      "--input-type=module",
      "-e",
      `import { ensureNative } from "@virga/sandbox";
       console.log(JSON.stringify(await ensureNative({ names: ${JSON.stringify(programs)}, outDir: "/nonexistent" })));`,
    );
    const paths: Record<string, string> = JSON.parse(output);
    const carried = join(home, "node_modules/@virga/sandbox/native", process.arch);
    assert.deepEqual(
      paths,
      Object.fromEntries(programs.map((name) => [name, join(carried, `virga-${name}`)])),
    );
    assert.match(run(paths["launcher"] ?? "", "--version"), /^virga-launcher \d+$/mu);
  });

  test("its types hold for a consumer, without skipLibCheck", () => {
    writeFileSync(join(home, "consumer.ts"), consumer);
    // The consumer has no @types/node of its own: what the types need comes with the packages.
    writeFileSync(
      join(home, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "es2024",
          lib: ["es2024", "esnext.disposable"],
          module: "nodenext",
          types: ["node"],
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
        },
        files: ["consumer.ts"],
      }),
    );
    symlinkSync(join(root, "node_modules/typescript"), join(work, "typescript"));
    run(process.execPath, join(work, "typescript/bin/tsc"), "-p", home);
  });
});
