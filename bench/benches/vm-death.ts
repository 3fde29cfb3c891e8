import assert from "node:assert/strict";
import type { HypervisorName, Vm } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { timed } from "../timed.ts";
import { VmFixture } from "../vm/fixture.ts";

const own = "death of a VM, until noticed";
const adopted = "death of an adopted VM, until noticed";
const mostMs = 1000;

/** How long a VMM is dead before whoever waits for its end knows that, and why. */
export function vmDeath(hypervisor: HypervisorName): Bench {
  return {
    name: "death",
    about: `SIGKILL of the VMM on ${hypervisor} until \`exited\` has told the reason, of a VM of this process and of one that it adopted; raw is the exit event of the same VMM as a child`,
    open: async () => {
      const fixture = await VmFixture.open(hypervisor);
      const template = await fixture.template("shared");
      const kill = async (vm: Vm, { exited }: Vm, reason: string): Promise<number> => {
        const time = await timed(async () => {
          process.kill(vm.pid, "SIGKILL");
          assert.equal((await exited).reason, reason);
        });
        await vm.destroy();
        return time;
      };
      const killRaw = async (): Promise<number> => {
        const vm = await fixture.cloneRaw(template);
        return timed(() => vm.kill());
      };
      return {
        measures: [own, adopted].map((name) => ({
          name,
          unit: "ms" as const,
          aim: { of: "value", most: mostMs } as const,
        })),
        raw: async () => ({ [own]: await killRaw(), [adopted]: await killRaw() }),
        virga: async () => {
          const mine = await fixture.clone(template);
          const ownMs = await kill(mine, mine, "killed");
          const other = await fixture.clone(template);
          const seen = await fixture.newManager().adopt(other.config.vmDirectory);
          // Of a process that is nobody's child here the kernel does not tell how it ended.
          return { [own]: ownMs, [adopted]: await kill(other, seen, "unknown") };
        },
        close: () => fixture.close(),
      };
    },
  };
}
