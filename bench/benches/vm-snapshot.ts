import type { HypervisorName } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { timed } from "../timed.ts";
import { LivePair } from "../vm/live-pair.ts";

const snapshot = "snapshot";

/** A snapshot of a VM that booted and did nothing else: what a template is made of. */
export function vmSnapshot(hypervisor: HypervisorName): Bench {
  return {
    name: snapshot,
    about: `snapshot of a paused VM on ${hypervisor} until it is on the disk: device state, a copy of the memory file without its holes, sync`,
    open: async () => {
      const pair = await LivePair.open(hypervisor);
      const { raw, vm, fixture } = pair;
      await raw.pause();
      await fixture.manager.pause(vm.id);
      const into = async (take: (directory: string) => Promise<unknown>) => {
        const directory = fixture.newDirectory();
        const time = await timed(() => take(directory));
        await fixture.removeDirectory(directory);
        return { [snapshot]: time };
      };
      return {
        measures: [{ name: snapshot, unit: "ms", aim: { of: "ratio", most: 1.1 } }],
        raw: () => into((directory) => raw.snapshot(directory)),
        virga: () => into((directory) => fixture.manager.snapshot(vm.id, directory)),
        close: () => pair.close(),
      };
    },
  };
}
