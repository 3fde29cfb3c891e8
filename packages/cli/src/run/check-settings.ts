import { findImage, machineLimits } from "@virga/sandbox";
import { VirgaError } from "@virga/vm";
import type { RunSettings } from "./run-settings.ts";

/** Checks what the options alone cannot tell, before anything is started. What it throws is wrong usage. */
export function checkSettings({ command, image, vcpus, memoryMib }: RunSettings): void {
  if (command[0] === "") throw wrong("the name of the command is empty");
  findImage(image);
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
