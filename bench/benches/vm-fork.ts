import { setTimeout as sleep } from "node:timers/promises";
import type { HypervisorName, Vm } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { VmFixture, agentOf } from "../vm/fixture.ts";
import { runCommand } from "../vm/run-command.ts";

const writtenMib = [2, 20, 100];

const POLL_MS = 1;

/** Resolves when the snapshot lets its VM run on, which is before it is published. */
async function runsAgain(vm: Vm, published: Promise<unknown>): Promise<void> {
  let over = false;
  const end = published.finally(() => {
    over = true;
  });
  while (vm.state !== "running" && !over) await Promise.race([end, sleep(POLL_MS)]);
}

/** A shell program that fills so many MiB of the guest's memory with what cannot be left out of a snapshot. */
function write(mib: number): string {
  return `head -c 1048576 /dev/urandom > /tmp/one; n=0; while [ $n -lt ${mib} ]; do cat /tmp/one >> /tmp/written || exit 1; n=$((n+1)); done`;
}

/** A snapshot of a running clone that has written: how long its processes stand still, and until the snapshot can be used. */
export function vmFork(hypervisor: HypervisorName): Bench {
  const stop = (mib: number): string => `stop of a clone that wrote ${mib} MiB`;
  const snapshot = (mib: number): string => `its snapshot, until published (${mib} MiB)`;
  return {
    name: "fork",
    about: `snapshot of a running clone on ${hypervisor} (mode shared) after it wrote: from the freeze of its processes to their thaw, and from the request until the snapshot is there`,
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
        await manager.prepareSnapshot(vm.id);
        const frozen = performance.now();
        await agent.prepare();
        await manager.pause(vm.id);
        const published = manager.snapshot(vm.id, directory, { resume: true });
        await runsAgain(vm, published);
        await agent.thaw();
        const stoppedMs = performance.now() - frozen;
        await published;
        const publishedMs = performance.now() - started;
        await fixture.removeDirectory(directory);
        return { [stop(mib)]: stoppedMs, [snapshot(mib)]: publishedMs };
      };
      return {
        measures: writtenMib.flatMap((mib) => [
          { name: stop(mib), unit: "ms" as const },
          { name: snapshot(mib), unit: "ms" as const },
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
