import {
  buildInitramfs,
  currentBusybox,
  currentKernel,
  ensureNative,
  fetchBusybox,
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

/** What tests of VMs need, ready on disk. */
export interface TestAssets extends TestKernel {
  /** testkit's own small init: ready, ping, counter, random, disk write, reboot, power-off over the channel. */
  readonly testInitramfs: string;
  readonly launcher: string;
}

/** How to make test assets. */
export interface TestAssetOptions {
  /** Told before something is fetched or built that takes a while. */
  readonly onStep?: (message: string) => void;
}

let home: Promise<Home> | undefined;
let kernel: Promise<TestKernel> | undefined;
let assets: Promise<TestAssets> | undefined;

/** Makes what tests boot and launch (kernel, test init, launcher), once per machine and state of the sources, and gives the paths. */
export function testAssets(options: TestAssetOptions = {}): Promise<TestAssets> {
  assets ??= makeAssets(options);
  return assets;
}

/** The kernel alone, for tests that bring an initramfs of their own. */
export function testKernel(options: TestAssetOptions = {}): Promise<TestKernel> {
  kernel ??= makeKernel(options);
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

/** The initramfs with the real agent and busybox: what `virga run` boots. */
export async function agentInitramfs(): Promise<string> {
  const { kernel, home } = await testKernel();
  const content = {
    init: await testProgram("agent"),
    modules: kernel.modules,
    busybox: await withSetupLock(
      home,
      async () => (await currentBusybox(home.busybox)) ?? (await fetchBusybox(home.busybox)),
    ),
  };
  return (await buildInitramfs(content, home.initramfs)).path;
}

async function makeAssets(options: TestAssetOptions): Promise<TestAssets> {
  const base = await testKernel(options);
  const content = { init: await testProgram("test-init"), modules: base.kernel.modules };
  return {
    ...base,
    testInitramfs: (await buildInitramfs(content, base.home.initramfs, "test-initramfs")).path,
    launcher: await testProgram("launcher"),
  };
}

async function makeKernel({ onStep }: TestAssetOptions): Promise<TestKernel> {
  home ??= openHome();
  const opened = await home;
  const found = await withSetupLock(opened, async () => {
    const current = await currentKernel(opened.kernel);
    if (current !== undefined) return current;
    onStep?.("Fetching the guest kernel (about 35 MB; it is unpacked, not installed)");
    return fetchKernelPackage({ root: opened.kernel });
  });
  if (found.vmlinux === undefined)
    throw new Error(`${found.source}: it has no uncompressed kernel`);
  return { home: opened, kernel: found, vmlinux: found.vmlinux };
}
