import { fileURLToPath } from "node:url";
import type { Bench } from "../bench.ts";
import { processTime } from "../process-time.ts";

const command = fileURLToPath(new URL("../../packages/cli/bin/virga.js", import.meta.url));

/** What a user waits before the command does anything at all. */
export const commandStart: Bench = {
  name: "command",
  about: "`virga --version` against `node -e 0`, whole processes",
  open: () =>
    Promise.resolve({
      measures: [{ name: "virga --version", unit: "ms", aim: { of: "ratio", most: 2 } }],
      raw: async () => ({ "virga --version": await processTime(process.execPath, ["-e", "0"]) }),
      virga: async () => ({
        "virga --version": await processTime(process.execPath, [command, "--version"]),
      }),
      close: () => Promise.resolve(),
    }),
};
