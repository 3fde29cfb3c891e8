// Builds the agent's fuzz target: the parts that only read, with what they share.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const agent = join(import.meta.dirname, "..");
const common = join(agent, "../common");
const read = ["environment", "exec-wish", "file-request", "init-wish", "network-read"];
const parts = [...read, "resource-limits", "tar", "user"];
const flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-g"];

/** Builds it with a compiler: with `fuzzer` for libFuzzer, else with the driver of its own. Throws what the compiler says. */
export function buildFuzz(compiler: string, program: string, fuzzer: boolean): void {
  const sanitizers = `${fuzzer ? "fuzzer," : ""}address,undefined`;
  const shared = readdirSync(common).filter((name) => name.endsWith(".c"));
  const driver = fuzzer ? ["failed.c"] : ["failed.c", "driver.c"];
  const sources = [
    join(import.meta.dirname, "fuzz-agent.c"),
    ...driver.map((name) => join(common, "fuzz", name)),
    ...parts.map((name) => join(agent, `${name}.c`)),
    ...shared.map((name) => join(common, name)),
  ];
  const { status, stderr } = spawnSync(
    compiler,
    [
      ...flags,
      `-fsanitize=${sanitizers}`,
      "-fno-sanitize-recover=all",
      "-I",
      common,
      "-o",
      program,
      ...sources,
    ],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`Cannot build the fuzz target with ${compiler}:\n${stderr}`);
}
