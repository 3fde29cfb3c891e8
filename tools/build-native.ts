// Builds the programs in native/ and prints their paths. usage: build-native [--sanitize] [NAME…]
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildNative } from "../packages/sandbox/src/setup/native-build.ts";

const { values, positionals } = parseArgs({
  options: { sanitize: { type: "boolean", default: false } },
  allowPositionals: true,
});
const native = fileURLToPath(new URL("../native/", import.meta.url));
const programs = await buildNative({
  sourceDir: native,
  outDir: `${native}build`,
  sanitize: values.sanitize,
  ...(positionals.length > 0 && { only: positionals }),
});
for (const program of programs) {
  console.log(`${program.name}\t${program.path}\t${program.built ? "built" : "up to date"}`);
}
