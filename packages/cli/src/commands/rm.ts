import { Sandbox, openAccess } from "@virga/sandbox";
import type { Access } from "@virga/sandbox";
import { isVirgaError } from "@virga/vm";
import { heardExitCode, interruptSignal } from "../interrupt.ts";
import { confirmOrExit } from "../output/confirm.ts";
import { printJson } from "../output/print-json.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { printError, printLine } from "../output/print.ts";
import { reportError } from "../output/report-error.ts";
import { EXIT } from "../exit-code.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";

/** Options of `virga rm`. */
export interface RmFlags extends JsonFlag {
  readonly all?: true;
  readonly yes?: true;
}

/** `virga rm`: destroys sandboxes, whatever their state. One that cannot be is told of, and the others go all the same. */
export async function rmCommand(names: readonly string[], flags: RmFlags): Promise<number> {
  if ((flags.all === true) === names.length > 0) {
    printError("virga: Cannot remove sandboxes: it takes either their names or --all");
    return EXIT.usage;
  }
  // Opened once: who opens also clears away what dead processes left.
  const host = await openAccess();
  const given = flags.all === true ? (await Sandbox.list({ host })).map(({ id }) => id) : names;
  if (flags.all === true && flags.yes !== true && given.length > 0) {
    const count = given.length === 1 ? "the only sandbox" : `all ${given.length} sandboxes`;
    const otherwise = `Cannot ask whether to remove ${count}: add --yes`;
    const refused = await confirmOrExit(`Remove ${count}, with what they hold?`, otherwise);
    if (refused !== undefined) return refused;
  }
  const signal = interruptSignal();
  const removed: { id: string; name: string | null }[] = [];
  let exitCode = 0;
  try {
    for (const name of given) {
      try {
        signal.throwIfAborted();
        const remove = async (sandbox: Sandbox): Promise<void> => {
          await sandbox.destroy({ signal });
          removed.push({ id: sandbox.id, name: sandbox.name });
          if (flags.json !== true) printLine(sandbox.name ?? sandbox.id);
        };
        await useSandbox(name, remove, { host });
      } catch (error) {
        const stopped = heardExitCode();
        if (stopped !== undefined) return stopped;
        try {
          const id = await destroyUnknown(name, error, { host, signal });
          removed.push({ id, name: null });
          if (flags.json !== true) printLine(id);
        } catch (failure) {
          const late = heardExitCode();
          if (late !== undefined) return late;
          exitCode ||= reportError(failure);
        }
      }
    }
    return exitCode;
  } finally {
    // What is gone is told of, however it ends.
    if (flags.json === true) printJson(removed);
  }
}

/** Destroys one of which the catalogue knows nothing more, and gives its id; else throws `error`. */
async function destroyUnknown(
  name: string,
  error: unknown,
  options: { readonly host: Access; readonly signal: AbortSignal },
): Promise<string> {
  if (!isVirgaError(error) || error.code !== "VM_NOT_FOUND") throw error;
  const id = await Sandbox.destroyUnknown(name, options);
  if (id === undefined) throw error;
  return id;
}
