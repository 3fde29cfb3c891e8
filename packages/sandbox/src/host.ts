import {
  VmManager,
  chooseHypervisor,
  cloudHypervisorDriver,
  qemuDriver,
  silentLogger,
  snapshotsInUse,
} from "@virga/vm";
import type { HypervisorName, HypervisorProbe, Logger } from "@virga/vm";
import { Catalog } from "./catalog/catalog.ts";
import { chooseGuestTimeout } from "./guest/guest-timeout.ts";
import { homePaths, openHome } from "./home.ts";
import type { Home } from "./home.ts";
import { probeMachine } from "./probe-machine.ts";
import type { OnProgress } from "./progress.ts";
import { recoverOwned } from "./owners/recover-owned.ts";
import { recoverSandboxes } from "./life/recover-sandboxes.ts";
import type { ReadyAssets } from "./setup/ready-cache.ts";
import type { SetupEvent } from "./setup/setup-options.ts";
import { recoverSnapshots } from "./snapshots/recover-snapshots.ts";
import { ensureReady } from "./setup/setup.ts";
import { DEFAULT_TEMPLATE_CACHE_BYTES, TemplateStore } from "./templates/template-store.ts";
import { templateCacheBytes } from "./templates/template-cache-bytes.ts";
import { Timings } from "./timings.ts";

/** How to open this machine for sandboxes. */
export interface HostOptions {
  /** Default: where the environment and the user put it. */
  readonly home?: Home;
  readonly logger?: Logger;
  /** Told of work that takes long: the making of templates. */
  readonly onProgress?: OnProgress;
  /** Told of the set-up of this machine, where something was missing. */
  readonly onSetup?: (event: SetupEvent) => void;
  /** Real bytes of templates to keep. Default: `VIRGA_TEMPLATE_CACHE_MIB`, else 4 GiB. */
  readonly templateCacheBytes?: number;
  /** Kernel, initramfs and launcher. Default: what set-up gives, which does what is missing. */
  readonly assets?: ReadyAssets;
  /** Whether VMMs get namespaces of their own. Default `auto`. */
  readonly isolation?: "auto" | "off";
  /** Milliseconds a guest may take until it answers: for machines that are slow. Default: `VIRGA_GUEST_TIMEOUT_MS`, else 30,000, and 120,000 for a start by emulation. */
  readonly guestTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Where to note how long each step of the opening took. */
  readonly timings?: Timings;
}

/** Parts a {@link Host} is made of. */
interface HostParts {
  readonly home: Home;
  readonly logger: Logger;
  readonly onProgress: OnProgress;
  readonly assets: ReadyAssets;
  readonly probes: readonly HypervisorProbe[];
  readonly catalog: Catalog;
  readonly manager: VmManager;
  readonly templates: TemplateStore;
  readonly guestTimeoutMs: number | undefined;
}

/** This machine as a place for sandboxes: its directories, hypervisors and templates, wired up. Holds nothing open. */
export class Host {
  readonly home: Home;
  readonly logger: Logger;
  readonly onProgress: OnProgress;
  readonly assets: ReadyAssets;
  /** Every way of running VMs here, in the order of preference. */
  readonly probes: readonly HypervisorProbe[];
  /** Names and relations of what is here. */
  readonly catalog: Catalog;
  readonly manager: VmManager;
  readonly templates: TemplateStore;
  /** As {@link HostOptions} gave it. */
  readonly guestTimeoutMs: number | undefined;

  private constructor(parts: HostParts) {
    this.home = parts.home;
    this.logger = parts.logger;
    this.onProgress = parts.onProgress;
    this.assets = parts.assets;
    this.probes = parts.probes;
    this.catalog = parts.catalog;
    this.manager = parts.manager;
    this.templates = parts.templates;
    this.guestTimeoutMs = parts.guestTimeoutMs;
  }

  /**
   * Opens the state directory, sets up what is missing, finds out which hypervisors work, and removes what was left by processes that were killed.
   * `SETUP_NEEDED` and `SETUP_FAILED` as `ensureReady`, `INVALID_CONFIG` for a state directory of somebody else's.
   */
  static async open(options: HostOptions = {}): Promise<Host> {
    const { logger = silentLogger, onProgress = () => undefined, signal } = options;
    const timings = options.timings ?? new Timings();
    const home = await timings.measure("home", () => openHome(options.home ?? homePaths()));
    const assets =
      options.assets ??
      (await timings.measure("ready", () =>
        ensureReady({
          home,
          logger,
          signal,
          ...(options.onSetup && { onEvent: options.onSetup }),
        }),
      ));
    const probes = await timings.measure("probe", () => probeMachine({ assets, logger, signal }));
    const manager = new VmManager({
      directory: home.vms,
      launcher: assets.launcher,
      drivers: [cloudHypervisorDriver, qemuDriver({ accelerator: qemuAccelerator(probes) })],
      logger,
      isolation: options.isolation ?? "auto",
    });
    const templates = new TemplateStore({
      directory: home.templates,
      limitBytes:
        options.templateCacheBytes ??
        templateCacheBytes(process.env["VIRGA_TEMPLATE_CACHE_MIB"]) ??
        DEFAULT_TEMPLATE_CACHE_BYTES,
      inUse: () => snapshotsInUse(home.vms),
      logger,
    });
    const guestTimeoutMs = chooseGuestTimeout(options);
    const catalog = Catalog.open(home.catalog, { logger });
    await timings.measure("recover", async () => {
      await recoverOwned({ home, manager, logger });
      await recoverSandboxes({ home, manager, logger, catalog, guestTimeoutMs });
      await recoverSnapshots({ home, logger, catalog });
    });
    return new Host({
      home,
      logger,
      onProgress,
      assets,
      probes,
      catalog,
      manager,
      templates,
      guestTimeoutMs,
    });
  }

  /** Itself: what only uses sandboxes may have less. */
  async host(): Promise<Host> {
    return this;
  }

  /** The way to run VMs here: of the hypervisor asked for, else the best one. `UNSUPPORTED` tells why there is none. */
  choose(wanted: HypervisorName | "auto" = "auto"): HypervisorProbe {
    return chooseHypervisor(this.probes, wanted);
  }
}

function qemuAccelerator(probes: readonly HypervisorProbe[]): "kvm" | "tcg" {
  const kvm = probes.some(
    ({ name, accelerator, usable }) => name === "qemu" && accelerator === "kvm" && usable,
  );
  return kvm ? "kvm" : "tcg";
}
