import assert from "node:assert/strict";
import type { HypervisorName, RestoreMode, Vm } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { VmFixture, agentOf } from "../vm/fixture.ts";
import type { RawVm } from "../vm/raw-vm.ts";
import { runCommand } from "../vm/run-command.ts";

const command = ["/bin/echo", "useful"];

/** From a template to the output of a command in a clone of it. */
export function vmClone(hypervisor: HypervisorName, mode: RestoreMode): Bench {
  const name = `clone (${mode}) to first output`;
  return {
    name: `clone-${mode}`,
    about: `restore on ${hypervisor} in mode ${mode}, new identity, until the output of \`${command.join(" ")}\` is here`,
    open: async () => {
      const fixture = await VmFixture.open(hypervisor);
      const template = await fixture.template(mode);
      return {
        measures: [{ name, unit: "ms", aim: { of: "ratio", most: 1.15 } }],
        raw: async () => {
          const started = performance.now();
          const vm = await fixture.cloneRaw(template);
          await firstOutput(vm);
          const time = performance.now() - started;
          await fixture.destroyRaw(vm);
          return { [name]: time };
        },
        virga: async () => {
          const started = performance.now();
          await using vm = await fixture.clone(template);
          await firstOutput(vm);
          return { [name]: performance.now() - started };
        },
        close: () => fixture.close(),
      };
    },
  };
}

async function firstOutput(vm: Vm | RawVm): Promise<void> {
  await using agent = agentOf(vm);
  await agent.init();
  assert.equal(await runCommand(agent, command), "useful\n");
}
