import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fakeHypervisor } from "./fake-hypervisor.ts";

let directory = "";
let children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vf-"));
});

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  children = [];
  rmSync(directory, { recursive: true });
});

const at = (name: string): string => join(directory, name);

function start(binary: string, ...args: string[]): ChildProcess {
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
  children.push(child);
  return child;
}

/** Connects as soon as somebody listens. The test's own limit bounds it. */
async function dial(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, "connect");
      return socket;
    } catch {
      await sleep(5);
    }
  }
}

async function call(socketPath: string, method: string, name: string, body?: object) {
  const text = body === undefined ? "" : JSON.stringify(body);
  const headers = body === undefined ? {} : { "Content-Length": Buffer.byteLength(text) };
  const sent = request({ socketPath, method, path: `/api/v1/${name}`, headers, agent: false });
  sent.end(text);
  const [response] = (await once(sent, "response")) as [
    NodeJS.ReadableStream & { statusCode: number },
  ];
  let answer = "";
  for await (const chunk of response) answer += String(chunk);
  return { status: response.statusCode, body: answer === "" ? undefined : JSON.parse(answer) };
}

async function lines(socket: Socket, ...requests: string[]): Promise<string[]> {
  const reader = createInterface({ input: socket })[Symbol.asyncIterator]();
  const answers: string[] = [];
  for (const text of requests) {
    socket.write(`${text}\n`);
    answers.push(String((await reader.next()).value));
  }
  return answers;
}

/** A QMP client: the greeting, then one command after the other, events left out. */
async function qmp(path: string) {
  const socket = await dial(path);
  const reader = createInterface({ input: socket })[Symbol.asyncIterator]();
  const next = async () => JSON.parse(String((await reader.next()).value)) as Record<string, never>;
  const greeting = await next();
  const execute = async (command: string, args?: object): Promise<Record<string, unknown>> => {
    socket.write(JSON.stringify({ execute: command, arguments: args }));
    for (;;) {
      const answer = await next();
      if (!("event" in answer)) return answer;
    }
  };
  return { greeting, execute, end: () => socket.destroy() };
}

const chConfig = (run: string) => ({
  payload: { kernel: at("kernel") },
  memory: { size: 2 ** 20 },
  vsock: { cid: 3, socket: join(run, "v.sock") },
  balloon: { size: 0 },
});

test("cloud-hypervisor: life, snapshot and restore carry the guest's memory", async () => {
  const fake = fakeHypervisor({ name: "cloud-hypervisor", directory });
  writeFileSync(at("kernel"), "");
  assert.equal(
    spawnSync(fake.binary, ["--version"], { encoding: "utf8" }).stdout,
    "cloud-hypervisor v53.0\n",
  );
  const api = at("api.sock");
  const child = start(
    fake.binary,
    "--api-socket",
    `path=${api}`,
    "--event-monitor",
    `path=${at("events")}`,
  );
  (await dial(api)).destroy();
  assert.equal((await call(api, "GET", "vmm.ping")).body.pid, child.pid);
  assert.equal((await call(api, "GET", "vm.info")).status, 404);
  assert.equal((await call(api, "PUT", "vm.create", chConfig(directory))).status, 204);
  assert.equal((await call(api, "PUT", "vm.boot")).status, 204);
  const guest = await dial(at("v.sock"));
  assert.deepEqual(await lines(guest, "CONNECT 1024", "counter", "counter"), [
    "OK 1073741824",
    "ok 1",
    "ok 2",
  ]);
  const early = await call(api, "PUT", "vm.snapshot", { destination_url: `file://${directory}` });
  assert.equal(early.status, 500);
  assert.match(String(early.body), /not in a paused state/);
  assert.equal((await call(api, "PUT", "vm.pause")).status, 204);
  assert.equal((await call(api, "PUT", "vm.pause")).status, 500);
  mkdirSync(at("snapshot"));
  const url = `file://${at("snapshot")}`;
  assert.equal((await call(api, "PUT", "vm.snapshot", { destination_url: url })).status, 204);
  assert.equal((await call(api, "PUT", "vm.snapshot", { destination_url: url })).status, 500);
  guest.destroy();
  assert.equal((await call(api, "PUT", "vmm.shutdown")).status, 200);
  assert.deepEqual(await once(child, "exit"), [0, null]);
  assert.match(readFileSync(at("events"), "utf8"), /"event": "booted"/);

  rmSync(at("v.sock"), { force: true });
  start(fake.binary, "--api-socket", api);
  (await dial(api)).destroy();
  const restore = { source_url: url, memory_restore_mode: "OnDemand", resume: true };
  assert.equal((await call(api, "PUT", "vm.restore", restore)).status, 204);
  assert.equal((await call(api, "GET", "vm.info")).body.state, "Running");
  const clone = await dial(at("v.sock"));
  assert.deepEqual(await lines(clone, "CONNECT 1024", "peek"), ["OK 1073741824", "ok 2"]);
  clone.destroy();
});

test("cloud-hypervisor: a live owner of the socket is an error, a stale socket is replaced", async () => {
  const fake = fakeHypervisor({ name: "cloud-hypervisor", directory });
  const first = start(fake.binary, "--api-socket", at("api.sock"));
  (await dial(at("api.sock"))).destroy();
  const second = start(fake.binary, "--api-socket", at("api.sock"));
  assert.deepEqual(await once(second, "exit"), [1, null]);
  first.kill("SIGKILL");
  await once(first, "exit");
  start(fake.binary, "--api-socket", at("api.sock"));
  const socket = await dial(at("api.sock"));
  socket.destroy();
});

test("qemu: life, migration out and in carry the guest's memory", async () => {
  const fake = fakeHypervisor({ name: "qemu", directory });
  assert.match(
    spawnSync(fake.binary, ["--version"], { encoding: "utf8" }).stdout,
    /^QEMU emulator version 7\.2\.22 /,
  );
  const uuid = "11111111-2222-3333-4444-555555555555";
  const args = (run: string): string[] => [
    "-M",
    "microvm,pcie=on",
    "-m",
    "64M",
    "-uuid",
    uuid,
    "-S",
    "-qmp",
    `unix:${run}/qmp0.sock,server=on,wait=off`,
    "-qmp",
    `unix:${run}/qmp1.sock,server=on,wait=off`,
    "-chardev",
    `socket,id=c0,path=${run}/0.sock,server=on,wait=off`,
    "-device",
    "virtserialport,chardev=c0,id=p0",
  ];
  mkdirSync(at("a"));
  mkdirSync(at("b"));
  const child = start(fake.binary, ...args(at("a")));
  const one = await qmp(at("a/qmp0.sock"));
  assert.equal((await one.execute("query-uuid"))["error"] === undefined, false);
  await one.execute("qmp_capabilities");
  assert.deepEqual((await one.execute("query-uuid"))["return"], { UUID: uuid });
  await one.execute("cont");
  const guest = await dial(at("a/0.sock"));
  assert.deepEqual(await lines(guest, "ping", "counter"), ["ok pong", "ok 1"]);

  const state: Buffer[] = [];
  const receiver = createServer((socket) => socket.on("data", (chunk) => state.push(chunk)));
  receiver.listen(at("state.sock"));
  await one.execute("stop");
  await one.execute("migrate", { uri: `unix:${at("state.sock")}` });
  const isDone = async (): Promise<boolean> => {
    const answer = await one.execute("query-migrate");
    return (answer["return"] as { status?: string }).status === "completed";
  };
  while (!(await isDone())) await sleep(5);
  receiver.close();
  guest.destroy();
  await one.execute("quit");
  one.end();
  assert.deepEqual(await once(child, "exit"), [0, null]);

  start(fake.binary, ...args(at("b")), "-incoming", "defer");
  const two = await qmp(at("b/qmp0.sock"));
  await two.execute("qmp_capabilities");
  await two.execute("migrate-incoming", { uri: `unix:${at("b/in.sock")}` });
  const sender = await dial(at("b/in.sock"));
  sender.end(Buffer.concat(state));
  const status = async () => (await two.execute("query-status"))["return"] as { status: string };
  while ((await status()).status === "inmigrate") await sleep(5);
  await two.execute("cont");
  const clone = await dial(at("b/0.sock"));
  assert.deepEqual(await lines(clone, "peek"), ["ok 1"]);
  clone.destroy();
  two.end();
});

test("qemu: a second client of a socket hears nothing until the first has gone", async () => {
  const fake = fakeHypervisor({ name: "qemu", directory });
  start(fake.binary, "-S", "-qmp", `unix:${at("q.sock")},server=on,wait=off`);
  const first = await qmp(at("q.sock"));
  const second = await dial(at("q.sock"));
  const greeted = once(second, "data");
  await first.execute("qmp_capabilities");
  assert.equal(second.bytesRead, 0);
  first.end();
  await greeted;
  second.destroy();
});

test("rules: refuse with a chain, once; die in a call; the log of calls", async () => {
  const fake = fakeHypervisor({ name: "cloud-hypervisor", directory });
  writeFileSync(at("kernel"), "");
  fake.set({ calls: { create: { do: "refuse", chain: ["outer", "inner"], times: 1 } } });
  const child = start(fake.binary, "--api-socket", at("api.sock"));
  (await dial(at("api.sock"))).destroy();
  const refused = await call(at("api.sock"), "PUT", "vm.create", chConfig(directory));
  assert.deepEqual(refused, { status: 500, body: ["outer", "inner"] });
  assert.equal((await call(at("api.sock"), "PUT", "vm.create", chConfig(directory))).status, 204);
  fake.set({ calls: { "vm.boot": { do: "die", signal: "SIGSEGV" } } });
  const gone = once(child, "exit");
  await assert.rejects(call(at("api.sock"), "PUT", "vm.boot"));
  assert.deepEqual(await gone, [null, "SIGSEGV"]);
  const calls = fake.calls().map((event) => `${event.call} ${event.phase}`);
  assert.deepEqual(calls, [
    "vm.create start",
    "vm.create end",
    "vm.create start",
    "vm.create end",
    "vm.boot start",
  ]);
});

test("a start that fails, and options that the real one refuses", async () => {
  const fake = fakeHypervisor({ name: "qemu", directory });
  fake.set({ start: { do: "exit", code: 3, message: "no luck" } });
  const child = start(fake.binary, "-S");
  let log = "";
  child.stderr?.on("data", (chunk) => (log += String(chunk)));
  assert.deepEqual(await once(child, "close"), [3, null]);
  assert.equal(log, "no luck\n");
  fake.set({});
  assert.deepEqual(await once(start(fake.binary, "-bogus"), "exit"), [1, null]);
});
