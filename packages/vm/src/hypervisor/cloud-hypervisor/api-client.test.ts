import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import type { Socket } from "node:net";
import { serveApi, serveSocket, testDirectory } from "../../../test/fake-api.ts";
import { VirgaError } from "../../errors.ts";
import { createApiClient } from "./api-client.ts";
import type { ApiClient } from "./api-client.ts";

async function setUp(context: TestContext): Promise<{ path: string; client: ApiClient }> {
  const path = join(await testDirectory(context), "api.sock");
  const client = createApiClient(path);
  context.after(() => client.close());
  return { path, client };
}

/** Answers every request on a connection with these bytes, as soon as its header is there. */
async function serveBytes(
  context: TestContext,
  path: string,
  send: (socket: Socket) => void,
): Promise<void> {
  await serveSocket(context, path, (socket) => {
    let text = "";
    socket.on("data", (piece) => {
      text += piece.toString("latin1");
      if (!text.includes("\r\n\r\n")) return;
      text = "";
      send(socket);
    });
  });
}

async function failure(promise: Promise<unknown>): Promise<VirgaError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof VirgaError, String(error));
    return error;
  }
  assert.fail("it resolved");
}

test("a call has a length, a body once, and its answer parsed", async (context) => {
  const { path, client } = await setUp(context);
  const calls = await serveApi(context, path, (call, response) => {
    if (call.method === "GET") response.end('{"state":"Running"}');
    else response.writeHead(204).end();
  });
  assert.deepEqual(await client.call("GET", "vm.info", { timeoutMs: 10_000 }), {
    state: "Running",
  });
  assert.equal(await client.call("PUT", "vm.pause", { timeoutMs: 10_000 }), undefined);
  assert.equal(
    await client.call("PUT", "vm.resize", { timeoutMs: 10_000, body: { desired_balloon: 4096 } }),
    undefined,
  );
  assert.deepEqual(
    calls.map(({ method, path: url, body, headers }) => [
      method,
      url,
      body,
      headers["content-length"],
      headers["transfer-encoding"],
    ]),
    [
      ["GET", "/api/v1/vm.info", "", "0", undefined],
      ["PUT", "/api/v1/vm.pause", "", "0", undefined],
      ["PUT", "/api/v1/vm.resize", '{"desired_balloon":4096}', "24", undefined],
    ],
  );
});

test("calls one after the other share a connection", async (context) => {
  const { path, client } = await setUp(context);
  let connections = 0;
  await serveSocket(context, path, (socket) => {
    connections++;
    socket.on("data", () =>
      socket.write(
        "HTTP/1.1 204 \r\nServer: Cloud Hypervisor API\r\nConnection: keep-alive\r\n\r\n",
      ),
    );
  });
  for (let count = 0; count < 5; count++)
    await client.call("PUT", "vm.resume", { timeoutMs: 10_000 });
  assert.equal(connections, 1);
});

test("a call that takes longer than a connection is kept has its answer", async (context) => {
  const { path, client } = await setUp(context);
  await serveApi(context, path, (_call, response) => {
    setTimeout(() => response.end('{"state":"Running"}'), 1_200);
  });
  assert.deepEqual(await client.call("GET", "vm.info", { timeoutMs: 60_000 }), {
    state: "Running",
  });
});

test("a connection that nobody uses is given back, and the next call makes another", async (context) => {
  const { path, client } = await setUp(context);
  const closed: Promise<unknown>[] = [];
  await serveSocket(context, path, (socket) => {
    closed.push(once(socket, "close"));
    socket.on("data", () => socket.write("HTTP/1.1 204 \r\nConnection: keep-alive\r\n\r\n"));
  });
  for (let count = 1; count <= 2; count++) {
    await client.call("PUT", "vm.resume", { timeoutMs: 10_000 });
    assert.equal(closed.length, count);
    await closed.at(-1);
  }
});

test("refusals keep their chain, and text that is no JSON", async (context) => {
  const { path, client } = await setUp(context);
  const bodies = new Map([
    ["vm.boot", [500, '["Error from API","The VM could not boot"]']],
    ["vm.info", [404, '["Error from API","VM is not created"]']],
    ["vm.create", [400, '{"error": "invalid\nrequest"}']],
    ["vm.nmi", [400, ""]],
  ] as const);
  await serveApi(context, path, (call, response) => {
    const [status, body] = bodies.get(call.path.slice("/api/v1/".length) as "vm.boot") ?? [500, ""];
    response.writeHead(status).end(body);
  });
  const chains = new Map([
    ["vm.boot", ["Error from API", "The VM could not boot"]],
    ["vm.info", ["Error from API", "VM is not created"]],
    ["vm.create", ['{"error": "invalid\nrequest"}']],
    ["vm.nmi", []],
  ]);
  for (const [call, chain] of chains) {
    const error = await failure(client.call("PUT", call, { timeoutMs: 10_000 }));
    assert.equal(error.code, "HYPERVISOR_ERROR");
    assert.equal(error.details["status"], bodies.get(call as "vm.boot")?.[0]);
    assert.deepEqual(error.details["chain"], chain);
  }
});

test("a call that finds too many clients is made again until its deadline", async (context) => {
  const { path, client } = await setUp(context);
  let refusals = 3;
  await serveApi(context, path, (_call, response) => {
    if (refusals-- > 0) response.writeHead(503).end('{"error":"Too many open connections"}');
    else response.end('{"state":"Running"}');
  });
  assert.deepEqual(await client.call("GET", "vm.info", { timeoutMs: 60_000 }), {
    state: "Running",
  });
  refusals = Infinity;
  const error = await failure(client.call("PUT", "vm.pause", { timeoutMs: 200 }));
  assert.equal(error.code, "TIMEOUT", "as of a server that is busy");
  const signal = AbortSignal.timeout(100);
  const aborted = await failure(client.call("PUT", "vm.pause", { timeoutMs: 60_000, signal }));
  assert.equal(aborted.code, "ABORTED");
});

test("a server that refuses and closes before the request is written is asked again too", async (context) => {
  const { path, client } = await setUp(context);
  let refusals = 3;
  const refusal = '{"error":"Too many open connections"}';
  await serveSocket(context, path, (socket) => {
    if (refusals-- > 0) {
      socket.write(`HTTP/1.1 503 Busy\r\nContent-Length: ${refusal.length}\r\n\r\n${refusal}`);
      socket.destroySoon();
    } else {
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
    }
  });
  assert.deepEqual(await client.call("GET", "vm.info", { timeoutMs: 60_000 }), {});
  assert.ok(refusals < 0);
});

test("nobody at the socket means that the VMM has ended", async (context) => {
  const { path, client } = await setUp(context);
  const error = await failure(client.call("GET", "vmm.ping", { timeoutMs: 10_000 }));
  assert.equal(error.code, "HYPERVISOR_EXITED");
  assert.deepEqual(error.details, { call: "vmm.ping", socketPath: path, errno: "ENOENT" });
});

test("a connection closed before or within the answer means so too", async (context) => {
  for (const bytes of [
    "",
    "HTTP/1.1 200 OK\r\nContent-Le",
    'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"state"',
  ]) {
    const { path, client } = await setUp(context);
    await serveBytes(context, path, (socket) => void socket.end(bytes));
    const error = await failure(client.call("GET", "vm.info", { timeoutMs: 10_000 }));
    assert.equal(error.code, "HYPERVISOR_EXITED", JSON.stringify(bytes));
  }
});

test("garbage is a fault of the protocol", async (context) => {
  const answers = [
    "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{nope",
    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
    `HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}\r\n\r\n`,
  ];
  for (const bytes of answers) {
    const { path, client } = await setUp(context);
    await serveBytes(context, path, (socket) => void socket.write(bytes));
    const error = await failure(client.call("GET", "vm.info", { timeoutMs: 10_000 }));
    assert.equal(error.code, "HYPERVISOR_PROTOCOL", bytes.slice(0, 60));
  }
});

test("an answer without end is cut off", async (context) => {
  const { path, client } = await setUp(context);
  let sent = 0;
  const closed = Promise.withResolvers<void>();
  await serveBytes(context, path, (socket) => {
    socket.once("close", () => closed.resolve());
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    const piece = Buffer.alloc(64 * 1024, "x");
    const more = (): void => {
      while (!socket.destroyed && sent < 1_000_000_000) {
        sent += piece.length;
        if (!socket.write(piece)) return void socket.once("drain", more);
      }
    };
    more();
  });
  const error = await failure(client.call("GET", "vm.info", { timeoutMs: 60_000 }));
  assert.equal(error.code, "HYPERVISOR_PROTOCOL");
  assert.match(error.message, /longer than 1048576 bytes/);
  await closed.promise;
  assert.ok(sent < 100_000_000, `${sent} bytes were taken`);
});

test("a deadline counts from the call to the end of the answer", async (context) => {
  for (const start of [
    "",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{",
  ]) {
    const { path, client } = await setUp(context);
    await serveBytes(context, path, (socket) => void socket.write(start));
    const error = await failure(client.call("GET", "vm.info", { timeoutMs: 50 }));
    assert.equal(error.code, "TIMEOUT");
    assert.deepEqual(error.details, { call: "vm.info", timeoutMs: 50 });
  }
});

test("a late answer does not reach the next call", async (context) => {
  const { path, client } = await setUp(context);
  let first: Socket | undefined;
  await serveBytes(context, path, (socket) => {
    if (first === undefined) first = socket;
    else {
      first.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"late"');
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"own"');
    }
  });
  assert.equal((await failure(client.call("GET", "vm.info", { timeoutMs: 50 }))).code, "TIMEOUT");
  assert.equal(await client.call("GET", "vm.info", { timeoutMs: 10_000 }), "own");
});

test("an abort ends a call at once, and its reason is kept", async (context) => {
  const { path, client } = await setUp(context);
  const abort = new AbortController();
  await serveBytes(context, path, () => abort.abort("changed my mind"));
  const error = await failure(
    client.call("PUT", "vm.boot", { timeoutMs: 60_000, signal: abort.signal }),
  );
  assert.equal(error.code, "ABORTED");
  assert.equal(error.cause, "changed my mind");
  const after = await failure(
    client.call("PUT", "vm.boot", { timeoutMs: 60_000, signal: abort.signal }),
  );
  assert.equal(after.code, "ABORTED");
});

test("a body the server would not read is not sent", async (context) => {
  const { client } = await setUp(context);
  const error = await failure(
    client.call("PUT", "vm.create", { timeoutMs: 10_000, body: "x".repeat(51_199) }),
  );
  assert.equal(error.code, "INVALID_CONFIG");
  assert.equal(error.details["bytes"], 51_201);
});
