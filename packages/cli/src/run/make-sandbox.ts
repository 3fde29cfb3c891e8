import { Sandbox } from "@virga/sandbox";
import type { SandboxOptions } from "@virga/sandbox";
import { ProgressDisplay } from "../output/progress-display.ts";
import { setupProgress } from "../output/setup-progress.ts";
import { verboseLogger } from "../output/verbose-logger.ts";

/** Makes a sandbox, with the progress of what takes long on a terminal. */
export async function makeSandbox(options: SandboxOptions, verbose: boolean): Promise<Sandbox> {
  const progress = new ProgressDisplay({ verbose });
  const setup = setupProgress(process.stderr);
  try {
    const sandbox = await Sandbox.create({
      ...options,
      onProgress: (message) => progress.show(message),
      onSetup: setup.onEvent,
      ...(verbose && { logger: verboseLogger }),
    });
    await setup.finish();
    return sandbox;
  } catch (error) {
    await setup.finish("Not finished");
    throw error;
  } finally {
    progress.clear();
  }
}
