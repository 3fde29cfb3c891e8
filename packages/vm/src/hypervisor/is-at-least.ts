import type { HypervisorBinary } from "./port.ts";

/** Whether version `numbers` is `floor` or newer. Abilities are asked for, not read off it. */
export function isAtLeast(
  numbers: HypervisorBinary["numbers"],
  floor: HypervisorBinary["numbers"],
): boolean {
  const [a, b, c] = floor;
  const [major, minor, patch] = numbers;
  if (major !== a) return major > a;
  if (minor !== b) return minor > b;
  return patch >= c;
}
