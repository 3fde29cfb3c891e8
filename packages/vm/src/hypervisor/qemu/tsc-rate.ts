import { readFileSync } from "node:fs";

/**
 * Rate of the host's time-stamp counter in kHz, which is also the guest's under emulation. Undefined where the host does not tell.
 *
 * The guest's kernel gets it as `tsc_early_khz`: without it a microvm has no reference but the PIT, and its calibration hangs for ever when the host is
 * busy (seen in 10 of 10 boots).
 */
export function tscRateKhz(
  cpuinfo: string = readFileSync("/proc/cpuinfo", "utf8"),
): number | undefined {
  const match = /^cpu MHz\s*:\s*(\d{2,5}(?:\.\d+)?)\s*$/mu.exec(cpuinfo);
  return match?.[1] === undefined ? undefined : Math.round(Number(match[1]) * 1000);
}
