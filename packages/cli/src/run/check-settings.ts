import { BUILT_IN_NAMES, DEBIAN, findImage, homePaths } from "@virga/sandbox";
import { VirgaError, machineLimits } from "@virga/vm";
import type { RunSettings } from "./run-settings.ts";

/** Checks what the options alone cannot tell, before anything is started. What it throws is wrong usage. */
export async function checkSettings(settings: RunSettings): Promise<void> {
  const { command, image, vcpus, memoryMib, diskMib } = settings;
  if (command[0] === "") throw wrong("the name of the command is empty");
  // That one is made when it is not there.
  if (image !== DEBIAN) {
    const found = await findImage(image, homePaths().images);
    if (command.length === 0 && found.command.length === 0) {
      throw wrong(`the image ${image} has no command of its own; name one behind the options`);
    }
  }
  if (diskMib !== undefined && BUILT_IN_NAMES.includes(image)) {
    throw wrong(`--disk is for images with a disk, and ${image} has none: it lives in memory`);
  }
  const most = machineLimits();
  if (memoryMib > most.memoryMib) {
    throw wrong(`--memory ${memoryMib} is more than this machine has: ${most.memoryMib} MiB`);
  }
  if (vcpus > most.vcpus) {
    throw wrong(`--vcpus ${vcpus} is too much for this machine: at most ${most.vcpus}`);
  }
}

function wrong(what: string): VirgaError {
  return new VirgaError("INVALID_ARGUMENT", `Cannot run: ${what}`);
}
