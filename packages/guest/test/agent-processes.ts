import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { testProgram } from "@virga/testkit";
import type { Connect } from "../src/open-session.ts";

const firstDescriptor = 3;

/** Agents as ordinary processes of this machine, over socket pairs. */
export class AgentProcesses implements AsyncDisposable {
  readonly #program: string;
  readonly #connections: number;
  readonly #children: ChildProcess[] = [];
  #unused: Duplex[] = [];

  private constructor(program: string, connections: number) {
    this.#program = program;
    this.#connections = connections;
  }

  /**
   * @param name the native program: `agent` or `test-init`.
   * @param connections how many each agent serves before another is started.
   */
  static async of(name: "agent" | "test-init", connections = 1): Promise<AgentProcesses> {
    return new AgentProcesses(await testProgram(name), connections);
  }

  /** The agents started so far. */
  get children(): readonly ChildProcess[] {
    return this.#children;
  }

  /** Gives the next socket of the latest agent, or the first of a new one. */
  readonly connect: Connect = () => {
    const stream = this.#unused.shift() ?? this.#start();
    return Promise.resolve(stream);
  };

  /** Waits until all agents have ended by themselves, as they do when their last connection is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#unused) stream.destroy();
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
  }

  #start(): Duplex {
    const numbers = Array.from(
      { length: this.#connections },
      (_, index) => firstDescriptor + index,
    );
    const child = spawn(
      this.#program,
      numbers.flatMap((number) => ["--fd", String(number)]),
      {
        stdio: ["ignore", "inherit", "inherit", ...numbers.map(() => "pipe" as const)],
      },
    );
    this.#children.push(child);
    const [first, ...others] = child.stdio.slice(firstDescriptor) as unknown as Duplex[];
    if (first === undefined) throw new Error("an agent without a connection");
    this.#unused = others;
    return first;
  }
}
