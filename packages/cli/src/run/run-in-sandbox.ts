import { Sandbox, Timings, checkCopy } from "@virga/sandbox";
import type { SandboxOptions, SpawnOptions } from "@virga/sandbox";
import { EXIT } from "../exit-code.ts";
import { ProgressDisplay } from "../output/progress-display.ts";
import { reportError } from "../output/report-error.ts";
import { setupProgress } from "../output/setup-progress.ts";
import { verboseLogger } from "../output/verbose-logger.ts";
import { terminalSize } from "./guest-terminal.ts";
import { checkSettings } from "./check-settings.ts";
import { openTimings } from "./open-timings.ts";
import { runProcess } from "./run-process.ts";
import type { RunSettings } from "./run-settings.ts";
import { StopSignals } from "./stop-signals.ts";
import { TimeLimit } from "./time-limit.ts";
import { wantsStdin } from "./wants-stdin.ts";

/** `virga run`: runs one command in a sandbox of its own, which is gone afterwards in every case. Gives the exit code. */
export async function runInSandbox(settings: RunSettings): Promise<number> {
  const timings = new Timings();
  timings.add("start", performance.now());
  try {
    await checkSettings(settings);
  } catch (error) {
    reportError(error);
    return EXIT.usage;
  }
  // Before signals are heard: a file may be one whose other end nobody opens.
  const writeTimings =
    settings.timings === undefined ? undefined : await openTimings(settings.timings);
  using stop = new StopSignals();
  let exitCode: number;
  try {
    exitCode = await run(settings, timings, stop.signal);
  } catch (error) {
    // Somebody who asks us to stop knows why we do.
    exitCode = stop.exitCode ?? reportError(error, { verbose: settings.verbose });
  }
  if (writeTimings !== undefined) {
    timings.add("total", performance.now());
    await writeTimings(timings).catch((error: unknown) => {
      exitCode = reportError(error);
    });
  }
  // What nobody reads must not hold up the end that was asked for.
  if (stop.exitCode !== undefined || exitCode === EXIT.timeLimit)
    process.exit(stop.exitCode ?? exitCode);
  return exitCode;
}

async function run(settings: RunSettings, timings: Timings, signal: AbortSignal): Promise<number> {
  const stdin = wantsStdin(settings.interactive);
  for (const copy of settings.copies) await checkCopy(copy);
  const sandbox = await makeSandbox(settings, timings, signal);
  try {
    for (const { source, destination } of settings.copies) {
      await timings.measure("copy", () => sandbox.copyIn(source, destination, { signal }));
    }
    return await runCommand({ sandbox, settings, stdin, timings, signal });
  } finally {
    await timings.measure("destroy", () => sandbox.destroy());
  }
}

async function makeSandbox(
  settings: RunSettings,
  timings: Timings,
  signal: AbortSignal,
): Promise<Sandbox> {
  const { image, hypervisor, vcpus, memoryMib, diskMib, network, cold, verbose } = settings;
  const progress = new ProgressDisplay({ verbose });
  const setup = setupProgress(process.stderr);
  const options: SandboxOptions = {
    image,
    hypervisor,
    vcpus,
    memoryMib,
    ...(diskMib !== undefined && { diskMib }),
    network,
    cold,
    // It goes also when this process is killed.
    ephemeral: true,
    timings,
    signal,
    onProgress: (message) => progress.show(message),
    onSetup: setup.onEvent,
    ...(verbose && { logger: verboseLogger }),
  };
  try {
    const sandbox = await Sandbox.create(options);
    await setup.finish();
    return sandbox;
  } catch (error) {
    await setup.finish("Not finished");
    throw error;
  } finally {
    progress.clear();
  }
}

interface CommandRun {
  readonly sandbox: Sandbox;
  readonly settings: RunSettings;
  readonly stdin: boolean;
  readonly timings: Timings;
  readonly signal: AbortSignal;
}

async function runCommand(run: CommandRun): Promise<number> {
  const { sandbox, settings, stdin, timings } = run;
  const { env, workdir, user, timeoutMs, terminal } = settings;
  const command = settings.command.length > 0 ? settings.command : sandbox.imageCommand;
  using limit = new TimeLimit(timeoutMs, run.signal);
  const options: SpawnOptions = {
    stdin,
    env,
    signal: limit.signal,
    ...(workdir !== undefined && { cwd: workdir }),
    ...(user !== undefined && { user }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(terminal && { pty: { ...terminalSize(), term: process.env["TERM"] ?? "xterm" } }),
  };
  try {
    const guest = await timings.measure("exec", () => sandbox.spawn(command, options).started);
    limit.start();
    return await timings.measure("command", () => runProcess(guest, { stdin, terminal }));
  } catch (error) {
    if (limit.isOver) return EXIT.timeLimit;
    throw await sandbox.explain(`run ${command[0] ?? ""}`, error);
  }
}
