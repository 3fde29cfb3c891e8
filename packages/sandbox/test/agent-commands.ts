import type { TestContext } from "node:test";
import { AgentClient } from "@virga/guest";
import { AgentProcesses } from "../../guest/test/agent-processes.ts";
import { GuestCommands } from "../src/commands/guest-commands.ts";

/** What {@link useAgentCommands} gives. */
export interface AgentCommands {
  readonly commands: GuestCommands;
  readonly client: AgentClient;
  readonly agents: AgentProcesses;
  /** What was logged as a warning. */
  readonly warnings: unknown[];
}

/** Commands of a "sandbox" whose agent is an ordinary process of this machine: its processes, files and ports are this machine's. */
export async function useAgentCommands(t: TestContext): Promise<AgentCommands> {
  const agents = await AgentProcesses.of("agent", 100);
  const client = new AgentClient({ connect: agents.connect, maxIdle: 3 });
  const warnings: unknown[] = [];
  const silent = (): void => undefined;
  const commands = new GuestCommands({
    agent: () => client,
    image: { user: "", workdir: "/" },
    env: {},
    explain: (what, error) =>
      Promise.resolve(error instanceof Error ? Object.assign(error, { what }) : error),
    logger: {
      debug: silent,
      info: silent,
      warn: (fields) => void warnings.push(fields),
      error: silent,
    },
  });
  // The agent of a test ends with its last connection.
  await client.exec(["sleep", "1000"]);
  t.after(async () => {
    await commands.close();
    await client.close();
    await agents[Symbol.asyncDispose]();
  });
  return { commands, client, agents, warnings };
}
