import type { HypervisorName } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { VmFixture, agentOf } from "../vm/fixture.ts";
import { runCommand } from "../vm/run-command.ts";

const writtenMib = [2, 20, 100];

/** A shell program that fills so many MiB of the guest's memory with what cannot be left out of a snapshot. */
function write(mib: number): string {
  return `head -c 1048576 /dev/urandom > /tmp/one; n=0; while [ $n -lt ${mib} ]; do cat /tmp/one >> /tmp/written || exit 1; n=$((n+1)); done`;
}

/** A snapshot of a running clone that has written: how long its processes stand still, and until the snapshot can be used. */
export function vmFork(hypervisor: HypervisorName): Bench {
  const stopped = (mib: number): string => `stop of a clone that wrote ${mib} MiB`;
  const published = (mib: number): string => `its snapshot, until published (${mib} MiB)`;
  return {
    name: "fork",
    about: `snapshot of a running clone on ${hypervisor} (mode shared) after it wrote: from the freeze of its processes to their thaw, and to the snapshot's end`,
    open: async () => {
      const fixture = await VmFixture.open(hypervisor);
      const { manager } = fixture;
      const template = await fixture.template("shared");
      const fork = async (mib: number): Promise<Record<string, number>> => {
        await using vm = await fixture.clone(template);
        await using agent = agentOf(vm);
        await agent.init();
        await runCommand(agent, ["/bin/sh", "-c", write(mib)]);
        const directory = fixture.newDirectory();
        const started = performance.now();
        await agent.prepare();
        await manager.pause(vm.id);
        await manager.snapshot(vm.id, directory);
        const publishedMs = performance.now() - started;
        await manager.resume(vm.id);
        await agent.thaw();
        const stoppedMs = performance.now() - started;
        await fixture.removeDirectory(directory);
        return { [stopped(mib)]: stoppedMs, [published(mib)]: publishedMs };
      };
      return {
        measures: writtenMib.flatMap((mib) => [
          { name: stopped(mib), unit: "ms" as const },
          { name: published(mib), unit: "ms" as const },
        ]),
        virga: async () => {
          const sample = {};
          for (const mib of writtenMib) Object.assign(sample, await fork(mib));
          return sample;
        },
        close: () => fixture.close(),
      };
    },
  };
}
