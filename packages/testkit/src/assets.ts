import { existsSync } from "node:fs";
import {
  buildInitramfs,
  currentKernel,
  ensureNative,
  fetchKernelPackage,
  openHome,
  withSetupLock,
  type GuestKernel,
  type Home,
} from "@virga/sandbox";

/** A guest kernel for tests. */
export interface TestKernel {
  readonly home: Home;
  readonly kernel: GuestKernel;
  /** The uncompressed kernel, which boots faster. */
  readonly vmlinux: string;
}

/** What tests boot and launch, ready on disk. */
export interface TestAssets extends TestKernel {
  /** testkit's own small init: ready, ping, counter, random, disk write, reboot, power-off over the channel. */
  readonly testInitramfs: string;
  /** The real agent, with busybox: what `virga run` boots. */
  readonly agentInitramfs: string;
  readonly launcher: string;
}

let home: Promise<Home> | undefined;
let kernel: Promise<TestKernel> | undefined;
let assets: Promise<TestAssets> | undefined;

/** Makes all that tests need (kernel, programs, initramfs), once per machine and state of the sources, and gives the paths. */
export function testAssets(): Promise<TestAssets> {
  assets ??= makeAssets();
  return assets;
}

/** The kernel alone, for tests that bring an initramfs of their own. */
export function testKernel(): Promise<TestKernel> {
  kernel ??= makeKernel();
  return kernel;
}

/** A native program by its folder's name (`launcher`), built when needed. */
export async function testProgram(name: string): Promise<string> {
  home ??= openHome();
  const { native } = await home;
  const program = (await ensureNative({ names: [name], outDir: native }))[name];
  if (program === undefined) throw new Error(`there is no native program ${name}`);
  return program;
}

async function makeAssets(): Promise<TestAssets> {
  const base = await testKernel();
  const { modules } = base.kernel;
  const { initramfs } = base.home;
  const [init, agent] = [await testProgram("test-init"), await testProgram("agent")];
  const busybox = await busyboxPath();
  return {
    ...base,
    testInitramfs: (await buildInitramfs({ init, modules }, initramfs, "test-initramfs")).path,
    agentInitramfs: (await buildInitramfs({ init: agent, modules, busybox }, initramfs)).path,
    launcher: await testProgram("launcher"),
  };
}

async function makeKernel(): Promise<TestKernel> {
  home ??= openHome();
  const opened = await home;
  const found = await withSetupLock(
    opened,
    async () =>
      (await currentKernel(opened.kernel)) ?? (await fetchKernelPackage({ root: opened.kernel })),
  );
  if (found.vmlinux === undefined)
    throw new Error(`${found.source}: it has no uncompressed kernel`);
  return { home: opened, kernel: found, vmlinux: found.vmlinux };
}

async function busyboxPath(): Promise<string> {
  for (const path of ["/bin/busybox", "/usr/bin/busybox"]) {
    if (existsSync(path)) return path;
  }
  throw new Error("busybox-static is not installed: npm test installs it");
}
