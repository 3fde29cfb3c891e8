import { fileURLToPath } from "node:url";
import { Sandbox } from "virga";
import type { HypervisorName } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { processTime } from "../process-time.ts";
import { timed } from "../timed.ts";

const command = fileURLToPath(new URL("../../packages/cli/bin/virga.js", import.meta.url));
const name = "virga run -- true";

/** What the command costs beside what it does: start of Node, loading, parsing. */
export function runProcess(hypervisor: HypervisorName): Bench {
  return {
    name: "run",
    about: `\`${name}\` on ${hypervisor} as a whole process; raw is the library's part of it in a process that has loaded it: host, sandbox, command, end`,
    open: async () => {
      const args = ["run", "--hypervisor", hypervisor, "--", "true"];
      // Makes the template, and rejects where this hypervisor does not work.
      await using _first = await Sandbox.create({ hypervisor });
      return {
        measures: [{ name, unit: "ms" }],
        raw: async () => ({
          [name]: await timed(async () => {
            await using sandbox = await Sandbox.create({ hypervisor });
            const { exitCode } = await sandbox.run(["true"]);
            if (exitCode !== 0) throw new Error(`true ended with ${exitCode}`);
          }),
        }),
        virga: async () => ({
          [name]: await processTime(process.execPath, [command, ...args]),
        }),
        close: () => Promise.resolve(),
      };
    },
  };
}
