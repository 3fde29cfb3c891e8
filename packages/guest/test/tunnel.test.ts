import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer, get, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { test, type TestContext } from "node:test";
import { guestError } from "./error-matchers.ts";
import { useAgent } from "./use-agent.ts";

// The agent of these tests shares this machine's network: what listens here listens in its "guest".

async function listen(t: TestContext, server: Server, host = "127.0.0.1"): Promise<number> {
  server.listen(0, host);
  t.after(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/**
 * Listens on ::1 where nobody listens on 127.0.0.1: below the ports that are given out to whoever asks for any.
 * Undefined without IPv6.
 */
async function listenOnSixOnly(t: TestContext, server: Server): Promise<number | undefined> {
  t.after(() => server.close());
  for (let port = 20_000 + (process.pid % 10_000); ; port += 1) {
    server.listen(port, "::1");
    try {
      await once(server, "listening");
      return port;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE"))
        return undefined;
    }
  }
}

function serve(onSocket: (socket: Socket) => void): Server {
  return createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    onSocket(socket);
  });
}

test("bytes go to a server on loopback and back, and its end ends the tunnel", async (t) => {
  const { client } = await useAgent(t, 20);
  const port = await listen(
    t,
    serve((socket) => void socket.pipe(socket)),
  );
  const tunnel = await client.tunnel(port);
  tunnel.end("hello");
  assert.equal(await text(tunnel), "hello");
  if (!tunnel.closed) await once(tunnel, "close");
});

test("an HTTP client is served through it", async (t) => {
  const { client } = await useAgent(t, 20);
  const server = createHttpServer((request, response) => response.end(`got ${request.url}`));
  const port = await listen(t, server);
  const tunnel = await client.tunnel(port);
  // Kept alive it would outlive the test, and its end be an error of the request.
  const headers = { connection: "close" };
  const request = get({ createConnection: () => tunnel, path: "/x", headers });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const closed = once(tunnel, "close");
  assert.equal(await text(response), "got /x");
  await closed;
});

test("much goes both ways at once unchanged", async (t) => {
  const { client } = await useAgent(t, 20);
  const port = await listen(
    t,
    serve((socket) => void socket.pipe(socket)),
  );
  const tunnel = await client.tunnel(port);
  const input = randomBytes(20_000_000);
  const received = createHash("sha256");
  await Promise.all([pipeline(Readable.from([input]), tunnel), pipeline(tunnel, received)]).catch(
    (error: unknown) => assert.fail(String(error)),
  );
  assert.equal(received.digest("hex"), createHash("sha256").update(input).digest("hex"));
});

test("a server that does not read holds the writer up, and one that closes lets him go", async (t) => {
  const { client } = await useAgent(t, 20);
  const accepted = Promise.withResolvers<Socket>();
  const port = await listen(t, serve(accepted.resolve));
  const tunnel = await client.tunnel(port);
  let sent = 0;
  const piece = Buffer.alloc(100_000);
  async function* endless(): AsyncGenerator<Buffer> {
    for (; sent < 1_000_000_000; sent += piece.length) yield piece;
  }
  const writing = pipeline(endless(), tunnel).catch((error: unknown) => error);
  const socket = await accepted.promise;
  socket.pause();
  for (let turn = 0; turn < 20; turn += 1) await client.stats();
  // Sockets of this machine hold some megabytes by themselves.
  assert.ok(sent < 100_000_000, `${sent} bytes`);
  tunnel.resume();
  socket.destroy();
  await writing;
  assert.equal(tunnel.destroyed, true);
});

test("nothing that listens, a reset and an abort are told apart", async (t) => {
  const { client } = await useAgent(t, 20);
  const server = serve((socket) => {
    socket.write("first");
    socket.once("data", () => socket.resetAndDestroy());
  });
  const port = await listen(t, server);
  const broken = await client.tunnel(port);
  broken.write("x");
  await assert.rejects(text(broken), guestError("GUEST_FAILED", /broke/, { errno: 104 }));
  const controller = new AbortController();
  const aborted = await client.tunnel(port, { signal: controller.signal });
  await once(aborted, "readable");
  controller.abort();
  await assert.rejects(text(aborted), guestError("ABORTED"));
  // Port 1 is nobody's: one that was free a moment ago may be another test's by now.
  await assert.rejects(client.tunnel(1), guestError("GUEST_REFUSED", /refused/, { errno: 111 }));
  await assert.rejects(client.tunnel(0), guestError("GUEST_BAD_REQUEST"));
  await assert.rejects(client.tunnel(1, { host: "name" }), guestError("GUEST_BAD_REQUEST"));
});

test("a server on the loopback of IPv6 only is found, and ports are listed with their addresses", async (t) => {
  const { client } = await useAgent(t, 20);
  const port = await listen(
    t,
    serve((socket) => void socket.end("four")),
  );
  const listed = (await client.ports()).find(
    (item) => item.port === port && item.address === "127.0.0.1",
  );
  assert.deepEqual(listed, { port, address: "127.0.0.1", uid: process.getuid?.() });
  const six = serve((socket) => void socket.end("six"));
  const port6 = await listenOnSixOnly(t, six);
  if (port6 === undefined) return t.diagnostic("this machine has no IPv6");
  assert.equal(await text(await client.tunnel(port6)), "six");
  const addresses = (await client.ports()).filter((item) => item.port === port6);
  assert.ok(addresses.some(({ address }) => address === "::1"));
});

test("sync answers when all is written", async (t) => {
  const { client } = await useAgent(t, 20);
  await client.sync();
});
