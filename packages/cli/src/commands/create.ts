import { interruptSignal } from "../interrupt.ts";
import { printJson } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";
import { makeSandbox } from "../run/make-sandbox.ts";
import type { ShapeFlags } from "../run/sandbox-options.ts";

/** Options of `virga create`. */
export interface CreateFlags extends ShapeFlags {
  readonly name?: string;
  readonly snapshot?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly balloon?: true;
  readonly warm?: string;
  readonly warmKeep?: true;
  readonly cold?: true;
  readonly verbose?: true;
  readonly json?: true;
}

/** `virga create`: makes a sandbox that stays, and prints its id. Ctrl-C takes it back. */
export async function createCommand(flags: CreateFlags): Promise<number> {
  const {
    name,
    snapshot,
    image,
    hypervisor,
    vcpus,
    memory,
    disk,
    network,
    env,
    balloon,
    warm,
    warmKeep,
    cold,
  } = flags;
  const sandbox = await makeSandbox(
    {
      ...(name !== undefined && { name }),
      ...(snapshot !== undefined && { snapshot }),
      ...(image !== undefined && { image }),
      ...(hypervisor !== undefined && { hypervisor }),
      ...(vcpus !== undefined && { vcpus }),
      ...(memory !== undefined && { memoryMib: memory }),
      ...(disk !== undefined && { diskMib: disk }),
      ...(network !== undefined && { network }),
      env,
      ...(balloon === true && { balloon }),
      ...(warm !== undefined && { warm: ["sh", "-c", warm] }),
      ...(warmKeep === true && { warmKeep }),
      ...(cold === true && { cold }),
      signal: interruptSignal(),
    },
    { verbose: flags.verbose === true },
  );
  if (flags.json === true) printJson(await sandbox.info());
  else printLine(sandbox.id);
  await sandbox.disconnect();
  return 0;
}
