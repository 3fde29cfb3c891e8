import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Socket } from "node:net";
import { setImmediate as tick } from "node:timers/promises";
import { serveSocket, testDirectory } from "../../../test/fake-api.ts";
import { VirgaError } from "../../errors.ts";
import { connectVsock } from "./vsock.ts";

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof VirgaError && error.code === code;
}

async function writeSlowly(socket: Socket, text: string): Promise<void> {
  for (const byte of text) {
    socket.write(byte);
    await tick();
  }
  socket.end();
}

test("the request is one line, and what follows the answer is kept", async (context) => {
  const path = join(await testDirectory(context), "v.sock");
  const received: string[] = [];
  await serveSocket(context, path, (socket) => {
    socket.on("data", (piece) => {
      received.push(piece.toString());
      if (received.length === 1) socket.write(Buffer.from("OK 1073741824\nhello\u0000\n"));
      else socket.end(piece);
    });
  });
  const stream = await connectVsock(path, { timeoutMs: 10_000 });
  assert.equal((await once(stream, "data"))[0].toString(), "hello\u0000\n");
  stream.write("echo");
  assert.equal((await once(stream, "data"))[0].toString(), "echo");
  assert.deepEqual(received, ["CONNECT 1024\n", "echo"]);
  await once(stream, "close");
});

test("an answer in pieces is put together", async (context) => {
  const path = join(await testDirectory(context), "v.sock");
  await serveSocket(context, path, (socket) => {
    socket.once("data", () => void writeSlowly(socket, "OK 1073741825\nrest"));
  });
  const stream = await connectVsock(path, { timeoutMs: 10_000 });
  let text = "";
  for await (const piece of stream) text += String(piece);
  assert.equal(text, "rest");
});

test("it tries again while the guest is not ready", async (context) => {
  const path = join(await testDirectory(context), "v.sock");
  let connections = 0;
  const connected = connectVsock(path, { timeoutMs: 30_000 });
  // First there is no socket, then connections are closed without an answer, then reset.
  await serveSocket(context, path, (socket) => {
    connections++;
    if (connections === 1) socket.end();
    else if (connections === 2) setImmediate(() => socket.destroy());
    else if (connections === 3) socket.once("data", () => socket.destroy());
    else socket.once("data", () => socket.write("OK 1073741824\n"));
  });
  (await connected).destroy();
  assert.equal(connections, 4);
});

test("a dead socket and a silent device end at the deadline, with the last failure", async (context) => {
  const directory = await testDirectory(context);
  const silent = join(directory, "silent.sock");
  await serveSocket(context, silent, (socket) => void socket.resume());
  for (const path of [join(directory, "absent.sock"), silent]) {
    await assert.rejects(connectVsock(path, { timeoutMs: 60 }), (error) => {
      assert.ok(error instanceof VirgaError);
      assert.equal(error.code, "TIMEOUT");
      assert.ok(error.cause instanceof Error);
      return true;
    });
  }
});

test("another answer than OK is a fault of the protocol", async (context) => {
  for (const answer of ["NO 12\n", "OK \n", "OK 1x\n", "HTTP/1.1 400 \r\n", "x".repeat(1000)]) {
    const path = join(await testDirectory(context), "v.sock");
    await serveSocket(
      context,
      path,
      (socket) => void socket.once("data", () => socket.write(answer)),
    );
    await assert.rejects(connectVsock(path, { timeoutMs: 10_000 }), hasCode("HYPERVISOR_PROTOCOL"));
  }
});

test("a path that is no socket is told at once", async (context) => {
  const path = join(await testDirectory(context), "file", "v.sock");
  await writeFile(join(path, ".."), "");
  await assert.rejects(connectVsock(path, { timeoutMs: 60_000 }), hasCode("IO_ERROR"));
});

test("an abort ends a try and a wait", async (context) => {
  const directory = await testDirectory(context);
  const path = join(directory, "v.sock");
  const abort = new AbortController();
  await serveSocket(context, path, (socket) => void socket.once("data", () => abort.abort()));
  await assert.rejects(
    connectVsock(path, { timeoutMs: 60_000, signal: abort.signal }),
    hasCode("ABORTED"),
  );
  const waiting = new AbortController();
  const promise = connectVsock(join(directory, "absent"), {
    timeoutMs: 60_000,
    signal: waiting.signal,
  });
  setImmediate(() => waiting.abort());
  await assert.rejects(promise, hasCode("ABORTED"));
});

test("ending the stream closes the connection, though the guest never does", async (context) => {
  const path = join(await testDirectory(context), "v.sock");
  const guest = Promise.withResolvers<Socket>();
  await serveSocket(context, path, (socket) => {
    socket.once("data", () => {
      socket.write("OK 1073741824\n");
      guest.resolve(socket);
    });
  });
  const stream = await connectVsock(path, { timeoutMs: 10_000 });
  const socket = await guest.promise;
  const bytes = socket.toArray();
  stream.end("last words");
  await once(stream, "close");
  assert.equal(Buffer.concat(await bytes).toString(), "last words");
});

test("a guest that resets right after the answer does not end the process", async (context) => {
  const path = join(await testDirectory(context), "v.sock");
  let reset = (): void => undefined;
  await serveSocket(context, path, (socket) => {
    socket.once("data", () => {
      socket.write("OK 1073741824\n");
      // With bytes unread, closing is a reset.
      socket.pause();
      reset = () => socket.destroy();
    });
  });
  const stream = await connectVsock(path, { timeoutMs: 10_000 });
  // Nobody listens for `error` here.
  const closed = Promise.withResolvers<void>();
  stream.once("close", () => closed.resolve());
  stream.write("never read", () => reset());
  stream.resume();
  await closed.promise;
});
