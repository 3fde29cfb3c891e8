import { errorText } from "@virga/vm";
import { interruptSignal } from "../interrupt.ts";
import { printJson } from "../output/print-json.ts";
import { printError, printLine } from "../output/print.ts";
import { printable } from "../output/printable.ts";
import { whileOutputTakes } from "../output/while-output-takes.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";
import type { PortPair } from "../sandboxes/port-pair.ts";

/** `virga forward`: makes ports of a sandbox reachable on 127.0.0.1, until Ctrl-C. */
export async function forwardCommand(
  name: string,
  ports: readonly PortPair[],
  json: boolean,
): Promise<number> {
  const signal = whileOutputTakes(interruptSignal());
  await useSandbox(name, async (sandbox) => {
    const made: { port: number; address: string; localPort: number }[] = [];
    for (const { local, port } of ports) {
      const onError = (error: unknown): void =>
        printError(`virga: A connection to port ${port}: ${printable(errorText(error))}`);
      const forward = await sandbox.forward(port, { localPort: local, onError });
      made.push({ port, address: forward.address, localPort: forward.port });
    }
    if (json) printJson(made);
    else {
      for (const { port, address, localPort } of made) {
        printLine(`${address}:${localPort} -> ${port}`);
      }
    }
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
  });
  return 0;
}
