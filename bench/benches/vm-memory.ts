import type { HypervisorName, RestoreMode } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { proportionalKib } from "../proportional-kib.ts";
import { VmFixture, agentOf } from "../vm/fixture.ts";

const clones = 4;

/** What an idle clone takes of the host's memory, its share of what it shares included. */
export function vmMemory(hypervisor: HypervisorName, mode: RestoreMode): Bench {
  const name = `memory per idle clone (${mode})`;
  return {
    name: `memory-${mode}`,
    about: `proportional set size of ${clones} VMMs on ${hypervisor} whose agents answered, divided by ${clones}`,
    open: async () => {
      const fixture = await VmFixture.open(hypervisor);
      const template = await fixture.template(mode);
      return {
        measures: [{ name, unit: "KiB" }],
        virga: async () => {
          let kib = 0;
          await using stack = new AsyncDisposableStack();
          const vms = [];
          for (let count = 0; count < clones; count++) {
            const vm = stack.use(await fixture.clone(template));
            await using agent = agentOf(vm);
            await agent.init();
            vms.push(vm);
          }
          for (const { pid } of vms) kib += proportionalKib(pid);
          return { [name]: kib / clones };
        },
        close: () => fixture.close(),
      };
    },
  };
}
