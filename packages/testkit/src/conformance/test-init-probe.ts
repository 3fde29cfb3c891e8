import { AgentClient } from "@virga/guest";
import type { MessageFields, MessageMap, MessageValue } from "@virga/guest";
import type { Vm } from "@virga/vm";
import type { GuestProbe } from "./guest-probe.ts";

const ROOT_DISK = "/dev/vda";
const REMEMBERED_MIB = 8;
const TEXT_BYTES = 512;

/** An emulated guest on a busy machine takes its time to boot, in the lab's machine too. */
const DEADLINE_MS = 240_000;

/** Asks `virga-test-init` (native/test-init) one thing over a connection of its own. */
export async function askTestInit(
  vm: Vm,
  op: string,
  fields: MessageFields = {},
): Promise<MessageMap> {
  const client = new AgentClient({
    connect: (options) => vm.connectGuest(options),
    timeoutMs: DEADLINE_MS,
    maxIdle: 0,
  });
  try {
    return await client.request(op, fields);
  } finally {
    await client.close();
  }
}

function bytesOf(value: MessageValue | undefined): Buffer {
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw new TypeError(`the guest gave ${JSON.stringify(value)} in place of bytes`);
}

function textOf(value: MessageValue | undefined): string {
  if (typeof value === "string") return value;
  throw new TypeError(`the guest gave ${JSON.stringify(value)} in place of text`);
}

/** Real guests that run `virga-test-init`. */
export const testInitProbe: GuestProbe = {
  ping: async (vm) => void (await askTestInit(vm, "ping")),
  counter: async (vm) => Number((await askTestInit(vm, "counter")).get("value")),
  remember: async (vm, seed) => {
    await askTestInit(vm, "fill", { mib: REMEMBERED_MIB, seed });
    return await testInitProbe.recall(vm);
  },
  recall: async (vm) => textOf((await askTestInit(vm, "hash")).get("hash")),
  random: async (vm) => bytesOf((await askTestInit(vm, "random")).get("bytes")).toString("hex"),
  writeDisk: async (vm, text) => {
    const data = Buffer.alloc(TEXT_BYTES);
    data.write(text);
    await askTestInit(vm, "disk-write", { device: ROOT_DISK, offset: 0, data });
  },
  readDisk: async (vm) => {
    const fields = { device: ROOT_DISK, offset: 0, length: TEXT_BYTES };
    const data = bytesOf((await askTestInit(vm, "disk-read", fields)).get("data"));
    return data.toString("utf8").replace(/\0+$/, "");
  },
  end: async (vm, how) => void (await askTestInit(vm, how)),
};
