import { Images } from "@virga/sandbox";
import type { BuiltImage } from "@virga/sandbox";
import { interruptSignal } from "../../interrupt.ts";
import { printJson } from "../../output/print-json.ts";
import { printLine } from "../../output/print.ts";
import { ProgressDisplay } from "../../output/progress-display.ts";
import { setupProgress } from "../../output/setup-progress.ts";
import { imageJson } from "./image-json.ts";

/** Makes an image, with its progress on a terminal, and prints its digest, or all about it as JSON. Ctrl-C ends it. */
export async function makeImage(
  make: (images: Images) => Promise<BuiltImage>,
  json: boolean,
): Promise<number> {
  const progress = new ProgressDisplay({ verbose: false });
  const setup = setupProgress(process.stderr);
  const images = new Images({
    signal: interruptSignal(),
    onProgress: (message) => progress.show(message),
    onSetup: setup.onEvent,
  });
  try {
    const { record, built } = await make(images);
    progress.clear();
    await setup.finish();
    if (json) printJson({ ...imageJson(await images.info(record.digest)), built });
    else printLine(record.digest);
    return 0;
  } catch (error) {
    progress.clear();
    await setup.finish("Not finished");
    throw error;
  }
}
