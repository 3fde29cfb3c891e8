import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { Vm } from "@virga/vm";
import type { GuestProbe } from "./guest-probe.ts";

const CONNECT_MS = 10_000;

/** Sends one line to the guest of a fake hypervisor and gives its answer without the `ok`. */
export async function askFakeGuest(vm: Vm, request: string): Promise<string> {
  const stream = await vm.connectGuest({ timeoutMs: CONNECT_MS });
  try {
    const line = await firstLine(stream, `${request}\n`);
    if (!/^ok( |$)/.test(line)) throw new Error(`the fake guest answered ${JSON.stringify(line)}`);
    return line.slice(3);
  } finally {
    if (!stream.closed) {
      const closed = once(stream, "close");
      stream.destroy();
      await closed;
    }
  }
}

function firstLine(stream: Duplex, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.on("error", reject);
    stream.on("close", () => reject(new Error(`the guest hung up after ${JSON.stringify(text)}`)));
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (text.includes("\n")) resolve(text.split("\n", 1)[0] ?? "");
    });
    stream.write(request);
  });
}

/** The guest of the fake hypervisors. */
export const fakeGuestProbe: GuestProbe = {
  ping: async (vm) => void (await askFakeGuest(vm, "ping")),
  counter: async (vm) => Number(await askFakeGuest(vm, "counter")),
  remember: async (vm, seed) => {
    await askFakeGuest(vm, `note memory ${seed}`);
    return await askFakeGuest(vm, "recall memory");
  },
  recall: (vm) => askFakeGuest(vm, "recall memory"),
  random: (vm) => askFakeGuest(vm, "random"),
  writeDisk: async (vm, text) => void (await askFakeGuest(vm, `disk-write ${text}`)),
  readDisk: (vm) => askFakeGuest(vm, "disk-read"),
  end: async (vm, how) => void (await askFakeGuest(vm, how)),
};
