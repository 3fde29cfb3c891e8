import { recordPath } from "./directory.ts";
import type { MachineTable } from "./machine-table.ts";
import { readRecord } from "./record.ts";

/** Forgets the VM that `table` has as `id` when it has ended, and another process has removed it since or put another one into its directory: then its place is free. */
export async function forgetReplaced(
  table: MachineTable,
  id: string,
  directory: string,
): Promise<void> {
  const machine = table.get(id);
  if (machine === undefined || machine.isBusy || machine.process.isAlive()) return;
  // A record that cannot be read is a damaged one of this VM.
  const uuid = await readRecord(recordPath(directory)).then(
    (record) => record?.uuid,
    () => machine.record.uuid,
  );
  if (uuid === machine.record.uuid || table.get(id) !== machine) return;
  if (machine.destroying !== undefined) return;
  machine.abandon();
  table.delete(machine);
}
