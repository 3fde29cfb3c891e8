import { Timings, checkCopy } from "@virga/sandbox";
import { EXIT } from "../exit-code.ts";
import { reportError } from "../output/report-error.ts";
import { checkSettings } from "./check-settings.ts";
import { openTimings } from "./open-timings.ts";
import { makeSandbox } from "./make-sandbox.ts";
import { runCommand } from "./run-command.ts";
import type { RunSettings } from "./run-settings.ts";
import { StopSignals } from "./stop-signals.ts";
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
  return stop.end(exitCode);
}

async function run(settings: RunSettings, timings: Timings, signal: AbortSignal): Promise<number> {
  const stdin = wantsStdin(settings.interactive);
  for (const copy of settings.copies) await checkCopy(copy);
  const { image, hypervisor, vcpus, memoryMib, diskMib, network, cold, verbose } = settings;
  const sandbox = await makeSandbox(
    {
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
    },
    verbose,
  );
  try {
    for (const { source, destination } of settings.copies) {
      await timings.measure("copy", () => sandbox.copyIn(source, destination, { signal }));
    }
    return await runCommand({ sandbox, settings, stdin, timings, signal });
  } finally {
    await timings.measure("destroy", () => sandbox.destroy());
  }
}
