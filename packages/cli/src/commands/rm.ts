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
  const removed: Removed[] = [];
  const tell = (one: Removed): void => {
    removed.push(one);
    if (flags.json !== true) printLine(one.name ?? one.id);
  };
  let exitCode = 0;
  try {
    for (const name of given) {
      try {
        signal.throwIfAborted();
        await removeOne(name, { host, signal }, tell);
      } catch (error) {
        const stopped = heardExitCode();
        if (stopped !== undefined) return stopped;
        exitCode ||= reportError(error);
      }
    }
    return exitCode;
  } finally {
    // What is gone is told of, however it ends.
    if (flags.json === true) printJson(removed);
  }
}

/** What was removed; of what the catalogue knows nothing more, there is no name. */
interface Removed {
  readonly id: string;
  readonly name: string | null;
}

interface RemoveOptions {
  readonly host: Access;
  readonly signal: AbortSignal;
}

/** Destroys one, known or not. It is told of as soon as it is gone, whatever fails after that. */
async function removeOne(
  name: string,
  { host, signal }: RemoveOptions,
  tell: (removed: Removed) => void,
): Promise<void> {
  const remove = async (sandbox: Sandbox): Promise<void> => {
    await sandbox.destroy({ signal });
    tell({ id: sandbox.id, name: sandbox.name });
  };
  try {
    await useSandbox(name, remove, { host });
  } catch (error) {
    if (signal.aborted) throw error;
    tell({ id: await destroyUnknown(name, error, { host, signal }), name: null });
  }
}

/** Destroys one of which the catalogue knows nothing more, and gives its id; else throws `error`. */
async function destroyUnknown(
  name: string,
  error: unknown,
  options: RemoveOptions,
): Promise<string> {
  if (!isVirgaError(error) || error.code !== "VM_NOT_FOUND") throw error;
  const id = await Sandbox.destroyUnknown(name, options);
  if (id === undefined) throw error;
  return id;
}
