import { once } from "node:events";
import type { Vm } from "@virga/vm";
import type { GuestProbe } from "./guest-probe.ts";

const CONNECT_MS = 10_000;

/** Sends one line to the guest of a fake hypervisor and gives its answer without the `ok`. */
export async function askFakeGuest(vm: Vm, request: string): Promise<string> {
  const stream = await vm.connectGuest({ timeoutMs: CONNECT_MS });
  try {
    stream.write(`${request}\n`);
    let text = "";
    for await (const chunk of stream) {
      text += String(chunk);
      if (text.includes("\n")) break;
    }
    const line = text.split("\n", 1)[0] ?? "";
    if (!/^ok( |$)/.test(line)) throw new Error(`the fake guest answered ${JSON.stringify(text)}`);
    return line.slice(3);
  } finally {
    if (!stream.closed) {
      stream.destroy();
      await once(stream, "close");
    }
  }
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
