import { isVirgaError } from "@virga/vm";
import { destroyedError } from "../guest/vm-death.ts";
import type { LifeTools } from "./life-tools.ts";

/** How soon whoever works on a sandbox notices that it is being destroyed, unless its VM's end tells it sooner. */
const POLL_MS = 200;

/** A look, again and again, whether somebody destroys a sandbox. */
export interface DestroyWatch extends Disposable {
  /** Aborted by a destroy, and by what was given. */
  readonly signal: AbortSignal;
  /** The error to tell: what fails while the sandbox is being destroyed is `VM_DESTROYED`. */
  explain(error: unknown): unknown;
}

/** Lets work on a sandbox give up when another process destroys the sandbox, which would wait for it. `what` is the second half of "Cannot". */
export function watchDestroy(
  { catalog }: Pick<LifeTools, "catalog">,
  id: string,
  what: string,
  given: AbortSignal | undefined,
): DestroyWatch {
  const controller = new AbortController();
  const look = (): void => {
    if (!isDestroyed(catalog, id)) return;
    clearInterval(timer);
    controller.abort();
  };
  const timer = setInterval(look, POLL_MS).unref();
  const { signal } = controller;
  return {
    signal: given === undefined ? signal : AbortSignal.any([given, signal]),
    explain: (error) => {
      const isTold = isVirgaError(error) && error.code === "VM_DESTROYED";
      if (isTold || (!signal.aborted && !isDestroyed(catalog, id))) return error;
      return destroyedError(id, what, error);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function isDestroyed(catalog: LifeTools["catalog"], id: string): boolean {
  try {
    const row = catalog.sandboxes.get(id);
    return row === undefined || row.phase === "destroying";
  } catch {
    // Whoever works on it meets that error too.
    return false;
  }
}
