import { interruptSignal } from "../interrupt.ts";
import { printJson } from "../output/print-json.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";
import { makeSandbox } from "../run/make-sandbox.ts";
import type { ShapeFlags } from "../run/sandbox-options.ts";

/** Options of `virga create`. */
export interface CreateFlags extends ShapeFlags, JsonFlag {
  readonly name?: string;
  readonly snapshot?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly balloon?: true;
  readonly warm?: string;
  readonly warmKeep?: true;
  readonly cold?: true;
  readonly verbose?: true;
}

/** `virga create`: makes a sandbox that stays, and prints its id. Ctrl-C takes it back. */
export async function createCommand(flags: CreateFlags): Promise<number> {
  const { memory, disk, warm, verbose, json, ...same } = flags;
  const sandbox = await makeSandbox(
    {
      ...same,
      ...(memory !== undefined && { memoryMib: memory }),
      ...(disk !== undefined && { diskMib: disk }),
      ...(warm !== undefined && { warm: ["sh", "-c", warm] }),
      signal: interruptSignal(),
    },
    verbose === true,
  );
  if (json === true) printJson(await sandbox.info());
  else printLine(sandbox.id);
  await sandbox.disconnect();
  return 0;
}
