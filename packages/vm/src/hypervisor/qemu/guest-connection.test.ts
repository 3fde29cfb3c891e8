import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { startFakeQmp, useTemporaryDirectory } from "@virga/testkit";
import { vmLayout } from "../../directory.ts";
import type { VmContext } from "../port.ts";
import { GUEST_PORTS, portSocket } from "./files.ts";
import { connectGuestPort } from "./guest-connection.ts";

const LONG_MS = 20_000;
const NOW = { timeoutMs: 5_000 };
const AT_ONCE = { timeoutMs: 0 };

interface Ports {
  readonly vm: VmContext;
  /** The other end of the next connection. */
  readonly accepted: () => Promise<Socket>;
}

/** Sockets where QEMU's would be. `careless` ones never answer a close, as those of a paused VM. */
async function usePorts(context: TestContext, { careless = false } = {}): Promise<Ports> {
  const layout = vmLayout(await useTemporaryDirectory(context), "api.sock", false);
  await mkdir(layout.host.ports, { recursive: true });
  await mkdir(layout.portLocks);
  const queue: Socket[] = [];
  const waiting: ((socket: Socket) => void)[] = [];
  const all = new Set<Socket>();
  const servers = await Promise.all(
    Array.from({ length: GUEST_PORTS }, async (_, port) => {
      const server = createServer({ allowHalfOpen: careless }, (socket) => {
        all.add(socket);
        socket.on("error", () => socket.destroy());
        const next = waiting.shift();
        if (next === undefined) queue.push(socket);
        else next(socket);
      });
      server.listen(portSocket(layout.host, port));
      await once(server, "listening");
      return server;
    }),
  );
  context.after(() => {
    for (const socket of all) socket.destroy();
    for (const server of servers) server.close();
  });
  const chardevs = Array.from({ length: GUEST_PORTS }, (_, port) => ({
    label: `port${port}`,
    "frontend-open": true,
  }));
  const fake = await startFakeQmp(layout.host.qmpReads, { handler: () => chardevs });
  context.after(() => fake[Symbol.asyncDispose]());
  const vm = { layout, config: { guestChannel: true, sandboxId: "a1" } } as VmContext;
  return {
    vm,
    accepted: () => {
      const socket = queue.shift();
      return socket === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(socket);
    },
  };
}

/** Fails unless every port is free. */
async function allFree(vm: VmContext): Promise<void> {
  const streams = await Promise.all(
    Array.from({ length: GUEST_PORTS }, () => connectGuestPort(vm, NOW)),
  );
  for (const stream of streams) stream.destroy();
  await Promise.all(streams.map((stream) => closed(stream)));
}

async function closed(stream: Duplex): Promise<void> {
  if (!stream.closed) await once(stream, "close");
}

test("bytes go both ways, and the end of the guest's side ends the stream", async (context) => {
  const { vm, accepted } = await usePorts(context);
  const stream = await connectGuestPort(vm, NOW);
  const guest = await accepted();
  guest.pipe(guest);
  const sent = Buffer.alloc(500_000, "abc");
  stream.write(sent);
  const received: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    received.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes === sent.length) guest.end();
  }
  assert.ok(Buffer.concat(received).equals(sent));
  await closed(stream);
  await allFree(vm);
});

test("all ports can be used at once, the next one is CAPACITY", async (context) => {
  const { vm, accepted } = await usePorts(context);
  const streams: Duplex[] = [];
  for (let i = 0; i < GUEST_PORTS; i++) streams.push(await connectGuestPort(vm, NOW));
  await assert.rejects(connectGuestPort(vm, { timeoutMs: 20 }), {
    code: "CAPACITY",
    message: /All 16/,
  });
  const next = connectGuestPort(vm, { timeoutMs: LONG_MS });
  await accepted();
  streams[3]?.end();
  streams.push(await next);
  for (const stream of streams) stream.destroy();
  await Promise.all(streams.map((stream) => closed(stream)));
});

for (const how of ["end", "destroy"] as const) {
  test(`${how}() shuts our side, reads what is left, and frees the port`, async (context) => {
    const { vm, accepted } = await usePorts(context, { careless: true });
    const stream = await connectGuestPort(vm, NOW);
    const guest = await accepted();
    stream[how]();
    // The other side sees an end of file, not a reset, and may go on writing for a moment.
    guest.resume();
    await once(guest, "end");
    guest.end(Buffer.alloc(100_000));
    await once(guest, "finish");
    await closed(stream);
    await allFree(vm);
  });

  test(`${how}() frees the port although QEMU never closes`, async (context) => {
    const { vm, accepted } = await usePorts(context, { careless: true });
    const stream = await connectGuestPort(vm, NOW);
    const guest = await accepted();
    guest.resume();
    stream[how]();
    await closed(stream);
    await allFree(vm);
  });

  test(`${how}() frees the port although the guest reads nothing`, async (context) => {
    const { vm } = await usePorts(context, { careless: true });
    const stream = await connectGuestPort(vm, NOW);
    stream.on("error", () => undefined);
    stream.write(Buffer.alloc(8 << 20));
    stream[how]();
    await closed(stream);
    await allFree(vm);
  });
}

test("the lease is held until the socket is closed, not only asked to", async (context) => {
  const { vm, accepted } = await usePorts(context, { careless: true });
  const streams: Duplex[] = [];
  for (let i = 0; i < GUEST_PORTS; i++) streams.push(await connectGuestPort(vm, NOW));
  const guests = await Promise.all(streams.map(() => accepted()));
  streams[0]?.destroy();
  await assert.rejects(connectGuestPort(vm, AT_ONCE), { code: "CAPACITY", message: /in use/ });
  for (const guest of guests) guest.resume().end();
  for (const stream of streams) stream.destroy();
  await Promise.all(streams.map((stream) => closed(stream)));
  await allFree(vm);
});

test("a QEMU that dies ends the stream and frees the port", async (context) => {
  const { vm, accepted } = await usePorts(context);
  const stream = await connectGuestPort(vm, NOW);
  const guest = await accepted();
  guest.destroy();
  stream.resume();
  await closed(stream);
  await allFree(vm);
});

test("without a QEMU there is no connection", async (context) => {
  const layout = vmLayout(await useTemporaryDirectory(context), "api.sock", false);
  await mkdir(layout.portLocks, { recursive: true });
  const vm = { layout, config: { guestChannel: true, sandboxId: "a1" } } as VmContext;
  await assert.rejects(connectGuestPort(vm, { timeoutMs: LONG_MS }), {
    code: "HYPERVISOR_EXITED",
    message: /ENOENT/,
  });
  const without = { layout, config: { guestChannel: false, sandboxId: "a1" } } as VmContext;
  await assert.rejects(connectGuestPort(without, { timeoutMs: LONG_MS }), {
    code: "UNSUPPORTED",
    message: /guest channel/,
  });
});

test("an abort while all ports are in use, or before, is ABORTED", async (context) => {
  const { vm } = await usePorts(context);
  const signal = AbortSignal.abort(new Error("enough"));
  const options = { timeoutMs: LONG_MS, signal };
  await assert.rejects(connectGuestPort(vm, options), { code: "ABORTED", message: /guest/ });
  await allFree(vm);
});
