import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { Vm } from "@virga/vm";
import type { GuestProbe } from "./guest-probe.ts";

const CONNECT_MS = 10_000;

/** Sends one line to the guest of a fake hypervisor and gives its answer without the `ok`. */
export async function askFakeGuest(vm: Vm, request: string): Promise<string> {
  return askOnStream(await vm.connectGuest({ timeoutMs: CONNECT_MS }), request);
}

/** The same on a connection to it, which it closes. */
export async function askOnStream(stream: Duplex, request: string): Promise<string> {
  try {
    const text = await answerOn(stream, `${request}\n`);
    // One line, and nothing after it.
    const answer = /^ok(?: ([^\n]*))?\n$/.exec(text);
    if (answer === null) throw new Error(`the fake guest answered ${JSON.stringify(text)}`);
    return answer[1] ?? "";
  } finally {
    if (!stream.closed) {
      const closed = once(stream, "close");
      stream.destroy();
      await closed;
    }
  }
}

function answerOn(stream: Duplex, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.on("error", reject);
    stream.on("close", () => reject(new Error(`the guest hung up after ${JSON.stringify(text)}`)));
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (text.includes("\n")) resolve(text);
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
