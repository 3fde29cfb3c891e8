import { Sandbox } from "@virga/sandbox";
import type { ConnectOptions } from "@virga/sandbox";
import { withSuggestion } from "./with-suggestion.ts";

/**
 * Does something with a sandbox by its name, its id or the beginning of that, and lets go of it afterwards; it lives on. `VM_NOT_FOUND` says which one may be
 * meant.
 */
export async function useSandbox<T>(
  name: string,
  work: (sandbox: Sandbox) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  const sandbox = await withSuggestion(
    name,
    () => Sandbox.connect(name, options),
    async () => (await Sandbox.list(options)).map((one) => one.name ?? one.id),
  );
  try {
    return await work(sandbox);
  } finally {
    // A connection that is kept for the next call would keep this process for a while, too.
    await sandbox.disconnect();
  }
}
