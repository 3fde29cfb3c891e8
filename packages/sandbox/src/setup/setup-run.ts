import { join } from "node:path";
import { abortedError, silentLogger, type Logger } from "@virga/vm";
import type { Home } from "../home.ts";
import { currentKernel } from "./kernel/kernel-store.ts";
import { nativeInputs, nativeSources } from "./native.ts";
import { installPackages } from "./packages.ts";
import { removePartial } from "./publish.ts";
import {
  fingerprint,
  readReady,
  writeReady,
  type ReadyAssets,
  type ReadyLookup,
} from "./ready-cache.ts";
import {
  findProgram,
  missingRequirements,
  requirements,
  type Requirement,
} from "./requirements.ts";
import type { SetupContext, SetupMachine } from "./setup-context.ts";
import { withSetupLock } from "./setup-lock.ts";
import { lacksText, packageNames, setupNeeded, type Lacks } from "./setup-needed.ts";
import type { SetupEvent, SetupOptions } from "./setup-options.ts";
import {
  RUNTIME_PROGRAMS,
  builtInitramfs,
  guestSteps,
  runtimePrograms,
  type SetupStep,
} from "./setup-steps.ts";

interface Pending {
  readonly steps: readonly SetupStep[];
  readonly missing: readonly Requirement[];
}

/** One call of set-up. */
export class SetupRun {
  readonly #options: SetupOptions;
  readonly #guest: boolean;
  readonly #context: SetupContext;
  readonly #logger: Logger;
  #step = "setup";

  /** `guest`: whether what guests are made from is set up too, or system programs only. */
  constructor(options: SetupOptions, home: Home, guest: boolean) {
    this.#options = options;
    this.#guest = guest;
    this.#logger = options.logger ?? silentLogger;
    this.#context = {
      home,
      given: options.given ?? {},
      machine: options.machine ?? thisMachine(),
      signal: options.signal,
      progress: (line) => {
        if (line.trim() !== "") this.#tell("progress", this.#step, line.trim());
      },
    };
  }

  /** Gives the assets, or nothing when only system programs were asked for. */
  async ensure(): Promise<ReadyAssets | undefined> {
    const tools = await missingRequirements(this.#tools());
    if (this.#guest && tools.length === 0) {
      const { assets } = await this.cached();
      if (assets !== undefined) return assets;
    }
    const pending = await this.#pending();
    if (isNothing(pending)) return this.#finish();
    const lacks = await this.#possible(pending);
    this.#tell("plan", "setup", `Setting up what is missing: ${lacksText(lacks)}`);
    return withSetupLock(this.#context.home, () => this.#setUp(), {
      signal: this.#options.signal,
      onWait: () => this.#tell("wait", "setup", "Waiting for another process that is setting up"),
    });
  }

  /** Under the lock. What another process did meanwhile is found done. */
  async #setUp(): Promise<ReadyAssets | undefined> {
    const { home, machine, signal } = this.#context;
    for (const directory of [home.state, home.kernel, home.busybox, home.native, home.initramfs]) {
      await removePartial(directory);
    }
    const pending = await this.#pending();
    const packages = packageNames(pending.missing);
    if (packages.length > 0) {
      if (this.#options.confirm !== undefined && !(await this.#options.confirm(packages))) {
        throw setupNeeded(lacksOf(pending, this.#context), "declined");
      }
      await this.#timed("packages", `Installing ${packages.join(", ")}`, () =>
        installPackages(packages, { ...machine, signal, onLine: this.#context.progress }),
      );
    }
    for (const step of pending.steps) {
      if (signal?.aborted === true) throw abortedError("set-up", signal);
      await this.#timed(step.name, step.does(this.#context), () => step.run(this.#context));
    }
    return this.#finish();
  }

  async #pending(): Promise<Pending> {
    const steps: SetupStep[] = [];
    const wanted = this.#tools();
    for (const step of this.#guest ? guestSteps : []) {
      if (await step.isDone(this.#context)) continue;
      steps.push(step);
      wanted.push(...(await step.requires(this.#context)));
    }
    return { steps, missing: await missingRequirements([...new Set(wanted)]) };
  }

  async #possible(pending: Pending): Promise<Lacks> {
    const lacks = lacksOf(pending, this.#context);
    const mode = this.#options.mode ?? (process.env["VIRGA_SETUP"] === "never" ? "never" : "auto");
    if (mode === "never") throw setupNeeded(lacks, "forbidden");
    if (lacks.requirements.length > 0 || lacks.instead.length > 0) {
      if ((await findProgram("apt-get")) === undefined) throw setupNeeded(lacks, "no-apt");
      if (lacks.requirements.length > 0 && !this.#context.machine.root) {
        throw setupNeeded(lacks, "not-root");
      }
    }
    return lacks;
  }

  /** The assets noted by an earlier run, if nothing of them has changed since; else why not. */
  async cached(): Promise<ReadyLookup> {
    return readReady(this.#cacheFile(), await this.#cacheKey());
  }

  #tools(): Requirement[] {
    return (this.#options.tools ?? ["qemu"]).flatMap((set) => [...requirements[set]]);
  }

  async #finish(): Promise<ReadyAssets | undefined> {
    if (!this.#guest) return undefined;
    const { home } = this.#context;
    const kernel = await currentKernel(home.kernel);
    const { launcher, "passt-guard": passtGuard } = await runtimePrograms(this.#context);
    if (kernel === undefined || launcher === undefined || passtGuard === undefined)
      throw new Error("set-up ended without kernel, launcher or guard");
    const initramfs = await builtInitramfs(this.#context);
    const assets: ReadyAssets = {
      kernelId: kernel.id,
      kernelRelease: kernel.release,
      kernel: kernel.vmlinux ?? kernel.vmlinuz,
      initramfs: initramfs.path,
      initramfsHash: initramfs.hash,
      launcher,
      passtGuard,
    };
    await writeReady(this.#cacheFile(), await this.#cacheKey(), assets);
    return assets;
  }

  #cacheFile(): string {
    return join(this.#context.home.state, "ready.json");
  }

  #cacheKey(): Promise<string> {
    const { home, given, machine } = this.#context;
    const files = [given.kernel, given.modules, given.busybox].filter((path) => path !== undefined);
    return fingerprint([
      join(home.kernel, "current", "kernel.json"),
      join(home.busybox, "current"),
      ...nativeInputs(RUNTIME_PROGRAMS, machine.nativeSources),
      ...files,
    ]);
  }

  async #timed(step: string, message: string, work: () => Promise<void>): Promise<void> {
    this.#step = step;
    this.#tell("start", step, message);
    const start = performance.now();
    await work();
    const durationMs = Math.round(performance.now() - start);
    this.#logger.info({ step, durationMs }, "set-up step done");
    this.#tell("done", step, message);
  }

  #tell(phase: SetupEvent["phase"], step: string, message: string): void {
    this.#logger.debug({ phase, step }, message);
    this.#options.onEvent?.({ phase, step, message });
  }
}

function lacksOf(pending: Pending, context: SetupContext): Lacks {
  return {
    requirements: pending.missing,
    things: pending.steps.map(({ makes }) => makes),
    instead: pending.steps.flatMap((step) => step.insteadOfApt?.(context) ?? []),
    given: Object.entries(context.given).map(([name, path]) => `--${name} ${path}`),
  };
}

function isNothing({ steps, missing }: Pending): boolean {
  return steps.length === 0 && missing.length === 0;
}

function thisMachine(): SetupMachine {
  return { root: process.geteuid?.() === 0, nativeSources: nativeSources() };
}
