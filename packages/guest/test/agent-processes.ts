import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { testProgram } from "@virga/testkit";
import type { Connect } from "../src/open-session.ts";

/** Agents as ordinary processes of this machine: one for each connection, over a socket pair. */
export class AgentProcesses implements AsyncDisposable {
  readonly #program: string;
  readonly #children: ChildProcess[] = [];

  private constructor(program: string) {
    this.#program = program;
  }

  /** @param name the native program: `agent` or `test-init`. */
  static async of(name: string): Promise<AgentProcesses> {
    return new AgentProcesses(await testProgram(name));
  }

  /** The agents started so far. */
  get children(): readonly ChildProcess[] {
    return this.#children;
  }

  /** Starts an agent and gives the other end of its socket. */
  readonly connect: Connect = () => {
    const child = spawn(this.#program, ["--fd", "3"], {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    });
    this.#children.push(child);
    return Promise.resolve(child.stdio[3] as unknown as Duplex);
  };

  /** Waits until all agents have ended by themselves, as they do when their connection is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
  }
}
