import { createServer } from "node:net";
import type { Socket } from "node:net";

/** What a {@link FakeQmp} does with a command: gives its answer (or a promise of it), an `Error` to refuse it, or `undefined` for silence. Raw bytes may be sent on the socket. */
export type QmpHandler = (
  command: string,
  commandArguments: Record<string, unknown>,
  socket: Socket,
) => unknown;

/** Options of {@link startFakeQmp}. */
export interface FakeQmpOptions {
  /** Line sent to a client that connects; `null` for none and no answers either. Default: QEMU's greeting. */
  readonly greeting?: string | null;
  readonly handler?: QmpHandler;
}

/** A QMP monitor without a QEMU. */
export interface FakeQmp extends AsyncDisposable {
  /** Commands received, in order, without `qmp_capabilities`. */
  readonly commands: string[];
  /** Clients connected now. */
  readonly clients: ReadonlySet<Socket>;
}

const GREETING =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "fake"}, "capabilities": ["oob"]}}';

/** Listens on the Unix socket `path` like a monitor of QEMU. */
export async function startFakeQmp(path: string, options: FakeQmpOptions = {}): Promise<FakeQmp> {
  const { greeting = GREETING, handler = () => ({}) } = options;
  const commands: string[] = [];
  const clients = new Set<Socket>();
  const server = createServer((socket) => {
    clients.add(socket);
    socket.on("close", () => clients.delete(socket));
    socket.on("error", () => socket.destroy());
    if (greeting !== null) socket.write(`${greeting}\r\n`);
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) void answer(socket, line);
    });
  });

  async function answer(socket: Socket, line: string): Promise<void> {
    const request = JSON.parse(line) as Record<string, unknown>;
    const { execute, id } = request;
    if (execute === "qmp_capabilities") {
      if (greeting !== null) socket.write(`${JSON.stringify({ return: {}, id })}\r\n`);
      return;
    }
    commands.push(String(execute));
    if (greeting === null) return;
    const given = (request["arguments"] ?? {}) as Record<string, unknown>;
    const result = await handler(String(execute), given, socket);
    if (result === undefined) return;
    const body =
      result instanceof Error
        ? { error: { class: "GenericError", desc: result.message }, id }
        : { return: result, id };
    socket.write(`${JSON.stringify(body)}\r\n`);
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(path, resolve);
  });
  return {
    commands,
    clients,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
