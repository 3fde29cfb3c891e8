import type { ResolvedVmConfig } from "../config/vm-config.ts";
import { VirgaError } from "../errors.ts";

/** Longest kernel command line in bytes, its terminating zero left out: x86-64 and arm64 both cut at 2,048. */
const MAX_COMMAND_LINE_BYTES = 2047;

type Bootable = Pick<
  ResolvedVmConfig,
  "disks" | "initramfs" | "initPath" | "network" | "kernelArguments"
>;

/**
 * The kernel command line of a VM, by the rule both drivers share: the driver's own words (`console=` and the like), `root=` of the first disk unless
 * an initramfs mounts it, `init=`, `ip=`, then the user's words, which win where the kernel takes the last of a kind.
 *
 * `INVALID_CONFIG` when a word is empty or holds a control character, or when the line is longer than the kernel reads.
 */
export function kernelArguments(config: Bootable, driverWords: readonly string[]): string {
  const words = [...driverWords];
  const root = config.disks[0];
  if (root?.id === "rootfs" && config.initramfs === undefined) {
    words.push("root=/dev/vda", root.readonly ? "ro" : "rw");
  }
  if (config.initPath !== undefined) words.push(`init=${config.initPath}`);
  const { guestAddress, gateway, mask } = config.network ?? {};
  if (guestAddress !== undefined && gateway !== undefined && mask !== undefined) {
    words.push(`ip=${guestAddress}::${gateway}:${mask}::eth0:off`);
  }
  words.push(...config.kernelArguments);
  for (const word of words) checkWord(word);
  const line = words.join(" ");
  const bytes = Buffer.byteLength(line);
  if (bytes > MAX_COMMAND_LINE_BYTES) {
    throw new VirgaError(
      "INVALID_CONFIG",
      `Kernel command line is ${bytes} bytes long, the kernel reads at most ${MAX_COMMAND_LINE_BYTES}`,
      { details: { bytes, maximum: MAX_COMMAND_LINE_BYTES } },
    );
  }
  return line;
}

function checkWord(word: string): void {
  // A newline or a zero would end the line early, and with it the words that follow.
  if (word === "" || /\p{Cc}/u.test(word)) {
    throw new VirgaError(
      "INVALID_CONFIG",
      `Kernel argument ${JSON.stringify(word)} is empty or holds a control character`,
      { details: { word } },
    );
  }
}
