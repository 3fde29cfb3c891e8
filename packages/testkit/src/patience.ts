import type { TimeoutConfig } from "@virga/vm";

/** How much longer than an ordinary machine the lab's may take, which is emulated by a host that has other work too. */
const LAB_FACTOR = process.env["VIRGA_LAB"] === "1" ? 10 : 1;

/** Milliseconds after which a test gives up on what a busy ordinary machine does within `ms`. */
export function patientMs(ms: number): number {
  return ms * LAB_FACTOR;
}

/** The deadlines of VMs in tests: the defaults, but for the launch, which on a busy host takes its time. */
export const patientTimeouts: Required<TimeoutConfig> = {
  launchMs: patientMs(30_000),
  callMs: patientMs(10_000),
  longCallMs: patientMs(120_000),
  shutdownMs: patientMs(5_000),
  terminateMs: patientMs(10_000),
  lockMs: patientMs(10_000),
};
