import type { Server, Socket } from "node:net";
import type { FakeCall } from "./behaviour.ts";
import type { CallRunner, Outcome, Reply } from "./call-rule.ts";
import { oneClientServer } from "./one-client-server.ts";
import { flood } from "./rest-server.ts";

/** What executes QMP commands. */
export interface QmpMachine {
  /** Throws a {@link QmpError} for what is refused. */
  execute(command: string, argument: Record<string, unknown>): unknown;
  /** The name that both fakes have for a command. */
  sharedName(command: string): FakeCall | undefined;
  readonly greeting: object;
}

/** A refused command, with QEMU's class of it. */
export class QmpError extends Error {
  readonly kind: string;

  constructor(kind: "GenericError" | "CommandNotFound" | "DeviceNotActive", description: string) {
    super(description);
    this.kind = kind;
  }
}

/** QMP on any number of sockets, each for one client at a time. */
export class QmpServer {
  readonly #machine: QmpMachine;
  readonly #runner: CallRunner;
  readonly #clients = new Set<Socket>();

  constructor(machine: QmpMachine, runner: CallRunner) {
    this.#machine = machine;
    this.#runner = runner;
  }

  /** A server for one of the sockets. */
  socketServer(): Server {
    return oneClientServer((socket) => void this.#serve(socket));
  }

  /** Tells every client that has negotiated. */
  emit(event: string, data: object = {}): void {
    for (const client of this.#clients) client.write(line({ event, data, timestamp: timestamp() }));
  }

  async #serve(socket: Socket): Promise<void> {
    socket.on("close", () => this.#clients.delete(socket));
    let received = "";
    let last = this.#greet(socket);
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("utf8");
      for (let end = objectEnd(received); end !== undefined; end = objectEnd(received)) {
        const text = received.slice(0, end);
        received = received.slice(end);
        last = last.then(() => this.#command(socket, text));
      }
    });
    await last;
  }

  async #greet(socket: Socket): Promise<void> {
    const reply = await this.#runner.run("greeting", undefined, undefined, async () => ok({}));
    if (reply.how === "answer") socket.write(line({ QMP: this.#machine.greeting }));
    else await spoil(socket, reply);
  }

  async #command(socket: Socket, text: string): Promise<void> {
    if (socket.destroyed) return;
    const request = parse(text);
    if (request === undefined) {
      socket.write(
        line({ error: { class: "GenericError", desc: "JSON parse error, Invalid JSON syntax" } }),
      );
      return;
    }
    const { execute, id, argument } = request;
    const shared = this.#machine.sharedName(execute);
    let kind = "GenericError";
    // A client that leaves while its command runs does not stop it.
    const isNegotiated = this.#clients.has(socket);
    const reply = await this.#runner.run(execute, shared, argument, async () => {
      try {
        return ok(await this.#execute(socket, isNegotiated, execute, argument));
      } catch (error) {
        if (error instanceof QmpError) kind = error.kind;
        return { status: 500, chain: [error instanceof Error ? error.message : String(error)] };
      }
    });
    if (reply.how !== "answer") return await spoil(socket, reply);
    const { outcome } = reply;
    const answer =
      "chain" in outcome
        ? { error: { class: kind, desc: outcome.chain.join(": ") }, id }
        : { return: outcome.value ?? {}, id };
    if (!socket.destroyed) socket.write(line(answer));
  }

  #execute(
    socket: Socket,
    isNegotiated: boolean,
    command: string,
    argument: Record<string, unknown>,
  ): unknown {
    if (command === "qmp_capabilities") {
      this.#clients.add(socket);
      return {};
    }
    if (!isNegotiated) {
      throw new QmpError(
        "CommandNotFound",
        "Expecting capabilities negotiation with 'qmp_capabilities'",
      );
    }
    return this.#machine.execute(command, argument);
  }
}

function ok(value: unknown): Outcome {
  return { status: 200, value };
}

function line(message: object): string {
  return `${JSON.stringify(message)}\r\n`;
}

function timestamp(): object {
  const now = Date.now();
  return { seconds: Math.floor(now / 1000), microseconds: (now % 1000) * 1000 };
}

interface Request {
  readonly execute: string;
  readonly id: unknown;
  readonly argument: Record<string, unknown>;
}

function parse(text: string): Request | undefined {
  try {
    const message = JSON.parse(text) as { execute?: unknown; id?: unknown; arguments?: object };
    if (typeof message.execute !== "string") return undefined;
    return { execute: message.execute, id: message.id, argument: { ...message.arguments } };
  } catch {
    return undefined;
  }
}

/** Where the first JSON object of `text` ends, once it is complete. */
function objectEnd(text: string): number | undefined {
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (isInString) {
      if (character === "\\") i++;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === "{") depth++;
    else if (character === "}" && --depth === 0) return i + 1;
  }
  return undefined;
}

async function spoil(socket: Socket, reply: Exclude<Reply, { how: "answer" }>): Promise<void> {
  if (reply.how === "garbage") socket.write("\u0000\u0001 this is not QMP }{\r\n");
  else if (reply.how === "flood") await flood(socket, reply.bytes, '{"return": "');
  else {
    await new Promise<void>((resolve) => socket.write('{"return": {"sta', () => resolve()));
    socket.destroy();
  }
}
