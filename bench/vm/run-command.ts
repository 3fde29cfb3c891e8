import { text } from "node:stream/consumers";
import type { AgentClient } from "@virga/guest";

/** Runs a command in a guest and gives what it wrote. */
export async function runCommand(agent: AgentClient, argv: readonly string[]): Promise<string> {
  const process = await agent.exec(argv);
  process.stderr?.resume();
  const [output, exit] = await Promise.all([text(process.stdout), process.exited]);
  if (!("code" in exit) || exit.code !== 0) {
    throw new Error(`${argv.join(" ")} ended with ${JSON.stringify(exit)}`);
  }
  return output;
}
