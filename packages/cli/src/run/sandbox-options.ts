import { Option } from "commander";
import type { Command } from "commander";
import type { NetworkChoice } from "@virga/sandbox";
import type { HypervisorName } from "@virga/vm";
import { wholeNumber } from "./parse-values.ts";

/** The options of {@link addShapeOptions}, as commander gives them; undefined for what was not given. */
export interface ShapeFlags {
  readonly image?: string;
  readonly hypervisor?: HypervisorName | "auto";
  readonly vcpus?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly network?: NetworkChoice;
}

/** What they are when nothing is said. */
export const DEFAULT_SHAPE = {
  image: "busybox",
  hypervisor: "auto",
  vcpus: 1,
  memory: 512,
  network: "none",
} as const;

/** Adds the options that say what a sandbox is made of. Their defaults are told and not set, so that it is known what was given. */
export function addShapeOptions(command: Command): Command {
  const { image, hypervisor, vcpus, memory, network } = DEFAULT_SHAPE;
  return command
    .option(
      "--image <name>",
      `what the sandbox holds: a name or digest, see virga image ls (default: "${image}")`,
    )
    .addOption(
      new Option("--hypervisor <name>", `what runs it (default: "${hypervisor}")`).choices([
        "auto",
        "cloud-hypervisor",
        "qemu",
      ]),
    )
    .option("--vcpus <n>", `processors (default: ${vcpus})`, wholeNumber(1, 255))
    .option("--memory <mib>", `memory in MiB (default: ${memory})`, wholeNumber(96, 1_048_576))
    .option(
      "--disk <mib>",
      "disk of an image that has one, in MiB; takes what is written (default: 10240)",
      wholeNumber(64, 16_777_215),
    )
    .addOption(
      new Option(
        "--network <what>",
        `what the sandbox can reach; see docs/network.md (default: "${network}")`,
      ).choices(["none", "internet"]),
    );
}
