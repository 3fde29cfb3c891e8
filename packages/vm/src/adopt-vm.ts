import { lstat } from "node:fs/promises";
import type { HypervisorName } from "./config/vm-config.ts";
import { recordPath } from "./directory.ts";
import { VirgaError } from "./errors.ts";
import type { HypervisorDriver } from "./hypervisor/port.ts";
import type { Logger } from "./logger.ts";
import type { MachineTable } from "./machine-table.ts";
import type { Machine } from "./machine.ts";
import { openMachine } from "./open-vm.ts";
import { readRecord } from "./record.ts";

/** Lists the VM in `directory` that another process started, or gives the one that is listed already. */
export async function adoptMachine(
  directory: string,
  table: MachineTable,
  means: {
    readonly driverOf: (name: HypervisorName) => HypervisorDriver;
    readonly logger: Logger;
  },
): Promise<Machine> {
  await checkNoLink(directory);
  const record = await readRecord(recordPath(directory));
  if (record === undefined)
    throw new VirgaError("VM_NOT_FOUND", `VM not found: there is none in ${directory}`, {
      details: { directory },
    });
  const known = table.get(record.id);
  if (known?.record.uuid === record.uuid) return known;
  table.checkFree(record.id);
  if (record.phase !== "ready") {
    throw new VirgaError("INVALID_STATE", `Cannot adopt VM "${record.id}": it is not whole yet`, {
      details: { id: record.id, directory },
    });
  }
  const machine = await openMachine(
    record,
    directory,
    means.driverOf(record.build.name),
    means.logger,
  );
  if (table.isTaken(record.id)) {
    machine.abandon();
    const meanwhile = table.get(record.id);
    if (meanwhile?.record.uuid === record.uuid) return meanwhile;
    table.checkFree(record.id);
  }
  table.add(machine);
  return machine;
}

/** What a link leads to is a VM of another state directory. */
async function checkNoLink(directory: string): Promise<void> {
  const entry = await lstat(directory).catch(() => undefined);
  if (entry?.isSymbolicLink() !== true) return;
  throw new VirgaError("VM_NOT_OURS", `Cannot use the VM in ${directory}: that is a link`, {
    details: { directory },
    hint: "Use it from the state directory that it belongs to.",
  });
}
