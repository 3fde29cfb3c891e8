import { resolve } from "node:path";
import { Images } from "@virga/sandbox";
import { interruptSignal } from "../../interrupt.ts";
import { printLine } from "../../output/print.ts";
import { ProgressDisplay } from "../../output/progress-display.ts";
import { setupProgress } from "../../output/setup-progress.ts";
import { imageJson } from "./image-json.ts";

/** Options of `virga image build`. */
export interface BuildFlags {
  readonly from: string;
  readonly user: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly json?: true;
}

/** `virga image build`: makes an image and prints its digest. */
export async function imageBuild(
  name: string,
  command: readonly string[],
  flags: BuildFlags,
): Promise<number> {
  const { user, workdir, env: environment } = flags;
  const progress = new ProgressDisplay({ verbose: false });
  const setup = setupProgress(process.stderr);
  const images = new Images({
    signal: interruptSignal(),
    onProgress: (message) => progress.show(message),
    onSetup: setup.onEvent,
  });
  try {
    const settings = { user, workdir, environment, command };
    const image = await images.build({ name, from: resolve(flags.from), settings });
    progress.clear();
    await setup.finish();
    if (flags.json !== true) printLine(image.record.digest);
    else {
      const { built } = image;
      printLine(JSON.stringify({ ...imageJson({ ...image, names: [name] }), built }, undefined, 2));
    }
    return 0;
  } catch (error) {
    progress.clear();
    await setup.finish("Not finished");
    throw error;
  }
}
