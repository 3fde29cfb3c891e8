import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { isVirgaError } from "../../errors.ts";
import { GUEST_PORTS } from "./files.ts";
import { leasePort } from "./port-lease.ts";

test("each port is leased once, and again after its release", async (context) => {
  const directory = await useTemporaryDirectory(context);
  const leases = await Promise.all(
    Array.from({ length: GUEST_PORTS }, () => leasePort(directory, { timeoutMs: 0 })),
  );
  assert.deepEqual(
    leases.map((lease) => lease.port).toSorted((a, b) => a - b),
    Array.from({ length: GUEST_PORTS }, (_, port) => port),
  );
  await assert.rejects(
    leasePort(directory, { timeoutMs: 0 }),
    (error) => isVirgaError(error) && error.code === "CAPACITY" && /All 16/.test(error.message),
  );
  const waiting = leasePort(directory, { timeoutMs: 20_000 });
  leases[5]?.release();
  leases[5]?.release();
  assert.equal((await waiting).port, leases[5]?.port);
  for (const lease of [...leases, await waiting]) lease.release();
});

test("a port that is not usable is passed over", async (context) => {
  const directory = await useTemporaryDirectory(context);
  const lease = await leasePort(directory, { timeoutMs: 0 }, (port) => port === 9);
  assert.equal(lease.port, 9);
  await assert.rejects(
    leasePort(directory, { timeoutMs: 5 }, (port) => port === 9),
    (error) => isVirgaError(error) && error.code === "CAPACITY",
  );
  lease.release();
});

test("an abort ends the wait", async (context) => {
  const directory = await useTemporaryDirectory(context);
  const controller = new AbortController();
  const waiting = leasePort(
    directory,
    { timeoutMs: 20_000, signal: controller.signal },
    () => false,
  );
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, (error) => isVirgaError(error) && error.code === "ABORTED");
});

test("a lease dies with its holder", async (context) => {
  const directory = await useTemporaryDirectory(context);
  const script = `
    const { leasePort } = await import(${JSON.stringify(new URL("port-lease.ts", import.meta.url).href)});
    // Kept: a lock that nobody refers to is released by the garbage collector.
    globalThis.held = [];
    for (let i = 0; i < ${GUEST_PORTS}; i++) held.push(await leasePort(${JSON.stringify(directory)}, { timeoutMs: 0 }));
    console.log("held");
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  await assert.rejects(
    leasePort(directory, { timeoutMs: 0 }),
    (error) => isVirgaError(error) && error.code === "CAPACITY",
  );
  const waiting = leasePort(directory, { timeoutMs: 20_000 });
  holder.kill("SIGKILL");
  (await waiting).release();
});
