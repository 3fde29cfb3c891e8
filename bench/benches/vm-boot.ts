import type { HypervisorName } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { timed } from "../timed.ts";
import { VmFixture, agentOf } from "../vm/fixture.ts";

const boot = "cold boot to first answer";
const destroy = "destroy";

/** From nothing to the agent's first answer, and the end of an idle VM. */
export function vmBoot(hypervisor: HypervisorName): Bench {
  return {
    name: "boot",
    about: `cold boot on ${hypervisor} until the agent answers a ping, then destroy until the process and its files are gone`,
    open: async () => {
      const fixture = await VmFixture.open(hypervisor);
      const blueprint = await fixture.bootBlueprint(fixture.config());
      return {
        measures: [
          { name: boot, unit: "ms", aim: { of: "ratio", most: 1.05 } },
          { name: destroy, unit: "ms" },
        ],
        raw: async () => {
          const start = { blueprint, directory: fixture.newDirectory(), config: fixture.config() };
          const started = performance.now();
          const vm = await fixture.keep(fixture.raw.boot(start));
          await using agent = agentOf(vm);
          await agent.ping();
          const bootMs = performance.now() - started;
          await agent.close();
          return { [boot]: bootMs, [destroy]: await timed(() => fixture.destroyRaw(vm)) };
        },
        virga: async () => {
          const config = fixture.config();
          const started = performance.now();
          const vm = await fixture.manager.create(config);
          await using agent = agentOf(vm);
          await agent.ping();
          const bootMs = performance.now() - started;
          await agent.close();
          return { [boot]: bootMs, [destroy]: await timed(() => vm.destroy()) };
        },
        close: () => fixture.close(),
      };
    },
  };
}
