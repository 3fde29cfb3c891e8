import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { useAgentCommands } from "./agent-commands.ts";

/** A server of the "guest", which is this machine. */
async function listen(t: TestContext, onSocket: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const client = (port: number): Socket =>
  connect({ port, host: "127.0.0.1", allowHalfOpen: true }).on("error", () => undefined);

test("many connections at once carry bytes both ways unchanged", async (t) => {
  const { commands } = await useAgentCommands(t);
  const port = await listen(t, (socket) => void socket.pipe(socket));
  await using forward = await commands.forward(port);
  assert.equal(forward.address, "127.0.0.1");
  const sum = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  await Promise.all(
    Array.from({ length: 5 }, async () => {
      const input = randomBytes(3_000_000);
      const socket = client(forward.port);
      const [, output] = await Promise.all([
        pipeline(Readable.from([input]), socket),
        buffer(socket),
      ]);
      assert.equal(sum(output), sum(input));
    }),
  );
});

test("a server that has said everything and closes loses nothing of it", async (t) => {
  const { commands } = await useAgentCommands(t);
  const content = randomBytes(5_000_000);
  const port = await listen(t, (socket) => {
    socket.resume();
    socket.end(content);
  });
  await using forward = await commands.forward(port);
  const socket = client(forward.port);
  socket.write("GET");
  assert.ok((await buffer(socket)).equals(content));
  socket.end();
});

test("a server that does not read holds the client up", async (t) => {
  const { commands } = await useAgentCommands(t);
  const accepted = Promise.withResolvers<Socket>();
  const port = await listen(t, (socket) => accepted.resolve(socket.pause()));
  await using forward = await commands.forward(port);
  const socket = client(forward.port);
  let sent = 0;
  const piece = Buffer.alloc(100_000);
  const writing = pipeline(
    Readable.from(
      (function* () {
        for (; sent < 1_000_000_000; sent += piece.length) yield piece;
      })(),
    ),
    socket,
  ).catch(() => undefined);
  const server = await accepted.promise;
  for (let turn = 0; turn < 20; turn++) await commands.stats();
  assert.ok(sent < 100_000_000, `${sent} bytes`);
  server.destroy();
  await forward.close();
  await writing;
});

test("a connection that cannot be made, or breaks, is reset and told of", async (t) => {
  const { commands, warnings } = await useAgentCommands(t);
  const errors: unknown[] = [];
  // Port 1 is nobody's.
  await using silent = await commands.forward(1);
  await using told = await commands.forward(1, { onError: (error) => errors.push(error) });
  for (const { port } of [silent, told]) {
    await assert.rejects(text(client(port)), { code: "ECONNRESET" });
  }
  assert.match(String(errors), /GuestError: .*refused/);
  assert.deepEqual(
    warnings.map((fields) => Object.keys(fields as object)),
    [["port", "error"]],
  );
  const port = await listen(t, (socket) => {
    socket.write("first");
    socket.once("data", () => socket.resetAndDestroy());
  });
  await using broken = await commands.forward(port, { onError: (error) => errors.push(error) });
  const socket = client(broken.port);
  socket.write("x");
  await assert.rejects(text(socket), { code: "ECONNRESET" });
  assert.equal(errors.length, 2);
});

test("close ends the connections and listens no more, as the signal does", async (t) => {
  const { commands, warnings } = await useAgentCommands(t);
  const port = await listen(t, (socket) => void socket.write("hello"));
  const controller = new AbortController();
  const ways = [
    { forward: await commands.forward(port), end: "close" },
    { forward: await commands.forward(port, { signal: controller.signal }), end: "abort" },
    { forward: await commands.forward(port), end: "commands" },
  ];
  for (const { forward, end } of ways) {
    const socket = client(forward.port);
    await once(socket, "data");
    const lost = new Promise((resolve) => void socket.once("close", resolve));
    if (end === "abort") controller.abort();
    await (end === "commands" ? commands.close() : forward.close());
    await lost;
    const refused = connect({ port: forward.port, host: "127.0.0.1" });
    const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
    assert.equal(error.code, "ECONNREFUSED");
    await forward.close();
  }
  assert.deepEqual(warnings, []);
});

test("a port that is taken, or is none, is refused", async (t) => {
  const { commands } = await useAgentCommands(t);
  const taken = await listen(t, () => undefined);
  await assert.rejects(commands.forward(80, { localPort: taken }), {
    code: "IO_ERROR",
    message: /^Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  });
  await assert.rejects(commands.forward(80, { localPort: 70_000 }), { code: "INVALID_ARGUMENT" });
  const aborted = AbortSignal.abort();
  await assert.rejects(commands.forward(80, { signal: aborted }), { code: "ABORTED" });
});
