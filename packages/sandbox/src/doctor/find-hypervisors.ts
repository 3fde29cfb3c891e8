import { homePaths, type Home } from "../home.ts";
import { probeMachine } from "../probe-machine.ts";
import { findReady } from "../setup/setup.ts";
import type { HypervisorsReport } from "./doctor.ts";
import { romOffCheck } from "./rom-off-check.ts";

/** Finds the hypervisors of this machine and tries them, as far as what guests are made from has been set up. */
export async function findHypervisors(
  signal?: AbortSignal,
  home: Home = homePaths(),
): Promise<HypervisorsReport> {
  const { assets, why } = await findReady(home);
  const probes = await probeMachine({ assets, untriedBecause: why, signal });
  const hypervisors = probes.map(({ name, version, accelerator, usable, reason }) => ({
    name,
    version,
    accelerator,
    usable,
    reason,
  }));
  return {
    hypervisors,
    chosen: hypervisors.find(({ usable }) => usable)?.name ?? null,
    checks: [romOffCheck(probes)],
  };
}
