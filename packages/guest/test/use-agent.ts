import { join } from "node:path";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { AgentClient } from "../src/agent-client.ts";
import type { GuestFiles } from "../src/files.ts";
import { AgentProcesses } from "./agent-processes.ts";

/** A client, and the agents it reaches. */
export interface AgentSetting {
  readonly agents: AgentProcesses;
  readonly client: AgentClient;
}

/** The same with a folder: the guest's files are this machine's. */
export interface FileSetting extends AgentSetting {
  readonly files: GuestFiles;
  readonly directory: string;
  readonly at: (name: string) => string;
}

/** Starts agents with so many connections each. They end with the test. */
export async function useAgent(t: TestContext, connections: number): Promise<AgentSetting> {
  const agents = await AgentProcesses.of("agent", connections);
  const client = new AgentClient({ connect: agents.connect });
  t.after(async () => {
    await client.close();
    await agents[Symbol.asyncDispose]();
  });
  return { agents, client };
}

/** Makes a folder for a test of files, and starts agents. */
export async function useFiles(t: TestContext, connections: number): Promise<FileSetting> {
  const directory = await useTemporaryDirectory(t);
  const { agents, client } = await useAgent(t, connections);
  const at = (name: string): string => join(directory, name);
  return { agents, client, files: client.files, directory, at };
}
