import assert from "node:assert/strict";
import { Host, Sandbox } from "virga";
import type { HypervisorName } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { timed } from "../timed.ts";
import { VmFixture, agentOf, type BenchTemplate } from "../vm/fixture.ts";
import { runCommand } from "../vm/run-command.ts";

const command = ["/bin/echo", "useful"];
const mostOfOne = 1.3;

/** From the call to the first command's output, of so many sandboxes at once. */
export function sandboxCreate(hypervisor: HypervisorName, count: number): Bench {
  const name =
    count === 1 ? "create to first output" : `${count} creates at once, all to first output`;
  return {
    name: `creates-${count}`,
    about: `\`Sandbox.create\` on ${hypervisor}, ${count} at once, until the output of \`${command.join(" ")}\` has come from each; raw restores as many clones by hand`,
    open: async () => {
      const fixture = await VmFixture.open(hypervisor);
      const template = await fixture.template("shared");
      const host = await Host.open();
      // Makes the template.
      await using _first = await Sandbox.create({ hypervisor, host });
      return {
        measures: [
          {
            name,
            unit: "ms",
            ...(count === 1 && { aim: { of: "ratio", most: mostOfOne } as const }),
          },
        ],
        ...(count > 1 && { leastRounds: 5 }),
        raw: async () => ({ [name]: await atOnce(count, () => rawClone(fixture, template)) }),
        virga: async () => ({
          [name]: await atOnce(count, async () => {
            const sandbox = await Sandbox.create({ hypervisor, host });
            const { stdout } = await sandbox.run(command);
            assert.equal(String(stdout), "useful\n");
            return () => sandbox.destroy();
          }),
        }),
        close: () => fixture.close(),
      };
    },
  };
}

async function rawClone(fixture: VmFixture, template: BenchTemplate): Promise<() => Promise<void>> {
  const vm = await fixture.cloneRaw(template);
  await using agent = agentOf(vm);
  await agent.init();
  assert.equal(await runCommand(agent, command), "useful\n");
  return () => fixture.destroyRaw(vm);
}

/** Milliseconds until all have been made; then each is ended. */
async function atOnce(count: number, make: () => Promise<() => Promise<void>>): Promise<number> {
  const made: (() => Promise<void>)[] = [];
  const time = await timed(() =>
    Promise.all(Array.from({ length: count }, async () => made.push(await make()))),
  );
  await Promise.all(made.map((end) => end()));
  return time;
}
