import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Bench } from "../bench.ts";

const run = promisify(execFile);
const program = fileURLToPath(new URL("../heap-per-vm.ts", import.meta.url));
const vms = 200;

/** What the manager keeps in its heap for a running VM, in a process of its own: the bench's own garbage is not counted. */
export const managerHeap: Bench = {
  name: "heap",
  about: `heap of a manager per VM, with ${vms} running fakes`,
  open: () =>
    Promise.resolve({
      measures: [{ name: "heap per VM", unit: "KiB", aim: { of: "value", most: 100_000 / 1024 } }],
      leastRounds: 3,
      virga: async () => {
        const { stdout } = await run(process.execPath, [
          "--conditions=virga-source",
          "--expose-gc",
          program,
          String(vms),
        ]);
        return { "heap per VM": Number(stdout) / 1024 };
      },
      close: () => Promise.resolve(),
    }),
};
