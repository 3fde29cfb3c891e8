import { join } from "node:path";

const agent = join(import.meta.dirname, "..");
const shared = join(agent, "../common/fuzz");
const read = ["environment", "exec-wish", "file-request", "init-wish", "network-read"];
const parts = [...read, "resource-limits", "tar", "user"];

/** Runs a target without libFuzzer. */
export const driver: string = join(shared, "driver.c");

/** The agent's fuzz target: the parts that only read. */
export const sources: readonly string[] = [
  join(import.meta.dirname, "fuzz-agent.c"),
  join(shared, "failed.c"),
  ...parts.map((name) => join(agent, `${name}.c`)),
];
