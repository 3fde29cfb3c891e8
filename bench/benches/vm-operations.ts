import type { HypervisorName } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { timed } from "../timed.ts";
import { LivePair } from "../vm/live-pair.ts";

/** Pause and resume of a VM that stays. */
export function vmOperations(hypervisor: HypervisorName): Bench {
  return {
    name: "pause",
    about: `pause and resume of an idle VM on ${hypervisor}; raw connects for each call too, as one command after the other would`,
    open: async () => {
      const pair = await LivePair.open(hypervisor);
      const { raw, vm, fixture } = pair;
      const { manager } = fixture;
      return {
        measures: [
          { name: "pause", unit: "ms", aim: { of: "ratio", most: 1.1 } },
          { name: "resume", unit: "ms", aim: { of: "ratio", most: 1.1 } },
        ],
        raw: async () => ({
          pause: await timed(() => raw.pause()),
          resume: await timed(() => raw.resume()),
        }),
        virga: async () => ({
          pause: await timed(() => manager.pause(vm.id)),
          resume: await timed(() => manager.resume(vm.id)),
        }),
        close: () => pair.close(),
      };
    },
  };
}
