import { VirgaError } from "../errors.ts";
import type { VmmProcess } from "./vmm-process.ts";

/** A call that ends at once when the process does: `HYPERVISOR_EXITED`. */
export async function watched<T>(process: VmmProcess, call: Promise<T>): Promise<T> {
  // The loser of the race must not become an unhandled rejection.
  call.catch(() => undefined);
  return Promise.race([
    call,
    process.exited.then(async () => {
      // The call usually fails by itself now, and knows more; it gets a moment to say so.
      const settled = await Promise.race([call.then(() => true), endsLater()]);
      if (settled) return call;
      throw new VirgaError("HYPERVISOR_EXITED", "the hypervisor ended during the call");
    }),
  ]);
}

async function endsLater(): Promise<false> {
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  return false;
}
