import { Host, Sandbox } from "virga";
import type { HypervisorName } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { proportionalKib } from "../proportional-kib.ts";

const sandboxes = 4;
const name = "memory per idle sandbox";

/** What an idle sandbox takes of the host's memory, its share of what it shares included. */
export function sandboxMemory(hypervisor: HypervisorName): Bench {
  return {
    name: "memory-sandbox",
    about: `proportional set size of the hypervisors of ${sandboxes} sandboxes on ${hypervisor} that have run a command, divided by ${sandboxes}`,
    open: async () => {
      const host = await Host.open();
      await using _first = await Sandbox.create({ hypervisor, host });
      return {
        measures: [{ name, unit: "KiB" }],
        leastRounds: 5,
        virga: async () => {
          await using stack = new AsyncDisposableStack();
          const pids: number[] = [];
          for (let count = 0; count < sandboxes; count++) {
            const sandbox = stack.use(await Sandbox.create({ hypervisor, host }));
            await sandbox.run(["true"]);
            pids.push(sandbox.vm.pid);
          }
          return { [name]: pids.reduce((sum, pid) => sum + proportionalKib(pid), 0) / sandboxes };
        },
        close: () => Promise.resolve(),
      };
    },
  };
}
