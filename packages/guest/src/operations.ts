import { Answer } from "./answer.ts";
import { GuestError } from "./errors.ts";
import type { MessageFields, MessageMap } from "./message.ts";

/** What the agent says of itself. */
export interface GuestPing {
  /** Version of the agent protocol. */
  readonly version: number;
  /** Version of the agent. */
  readonly agent: string;
  /** Monotonic clock of the guest, in milliseconds. */
  readonly bootMs: number;
  /** Whether user processes are frozen for a snapshot. */
  readonly prepared: boolean;
  /** Whether `init` has been called since boot. */
  readonly initialised: boolean;
}

/** What makes this guest itself: sent at boot and after every restore. */
export interface GuestInit {
  /** 32 to 256 random bytes, credited to the guest's kernel. Default: 256 from this machine's kernel. */
  readonly entropy?: Uint8Array;
  /** Wall clock, in nanoseconds since 1970; `"now"` takes the host's when the request is sent. Without it the clock stays. */
  readonly timeNs?: bigint | "now";
  readonly hostname?: string;
  /** Contents of /etc/machine-id: 32 hexadecimal digits. */
  readonly machineId?: string;
  /** Default environment of later execs. */
  readonly env?: Readonly<Record<string, string>>;
  readonly network?: GuestNetwork;
}

/** Address of the guest on its network. */
export interface GuestNetwork {
  /** Name of the interface, such as `"eth0"`. */
  readonly interface: string;
  /** Address with prefix length, such as `"10.0.0.2/24"`. */
  readonly address: string;
  readonly gateway?: string;
  readonly dns?: readonly string[];
  readonly mac?: string;
  readonly mtu?: number;
}

/** How busy the guest is. */
export interface GuestStats {
  readonly uptimeMs: number;
  /** Load averages of 1, 5 and 15 minutes. */
  readonly loadAverage: readonly [number, number, number];
  /** Processors that are on. */
  readonly cpus: number;
  /** Processor time since boot that something used, of all processors together; take the difference of two samples. */
  readonly cpuBusyMs: number;
  /** All processor time since boot, used or not. */
  readonly cpuTotalMs: number;
  /** Size of the root file system. */
  readonly diskTotalKib: number;
  /** What users other than root can still write to it. */
  readonly diskFreeKib: number;
  readonly memoryTotalKib: number;
  readonly memoryFreeKib: number;
  readonly memoryAvailableKib: number;
  readonly processes: number;
  /** Resident memory of the agent. */
  readonly agentResidentKib: number;
}

/** Checks the answer to `ping`. */
export function parsePing(map: MessageMap): GuestPing {
  const answer = new Answer("ping", map);
  return {
    version: answer.integer("version", 1),
    agent: answer.text("agent"),
    bootMs: answer.integer("bootMs"),
    prepared: answer.boolean("prepared"),
    initialised: answer.boolean("initialised"),
  };
}

/** Checks the answer to `stats`. */
export function parseStats(map: MessageMap): GuestStats {
  const answer = new Answer("stats", map);
  const [one = 0, five = 0, fifteen = 0] = answer.integers("loadAverage", 3);
  return {
    uptimeMs: answer.integer("uptimeMs"),
    loadAverage: [one / 100, five / 100, fifteen / 100],
    cpus: answer.integer("cpus", 1),
    cpuBusyMs: answer.integer("cpuBusyMs"),
    cpuTotalMs: answer.integer("cpuTotalMs"),
    diskTotalKib: answer.integer("diskTotalKib"),
    diskFreeKib: answer.integer("diskFreeKib"),
    memoryTotalKib: answer.integer("memoryTotalKib"),
    memoryFreeKib: answer.integer("memoryFreeKib"),
    memoryAvailableKib: answer.integer("memoryAvailableKib"),
    processes: answer.integer("processes"),
    agentResidentKib: answer.integer("agentResidentKib"),
  };
}

/**
 * The fields of an `init` request.
 * @throws GuestError `GUEST_BAD_REQUEST` for what the agent could only refuse.
 */
export function initRequest(init: GuestInit, entropy: Uint8Array, nowNs: bigint): MessageFields {
  if (entropy.length < 32 || entropy.length > 256) {
    refuse(`entropy has ${entropy.length} bytes, it must have 32 to 256`);
  }
  if (init.machineId !== undefined && !/^[0-9a-f]{32}$/.test(init.machineId)) {
    refuse(
      `machineId ${JSON.stringify(init.machineId)} is not 32 hexadecimal digits in lower case`,
    );
  }
  const timeNs = init.timeNs === "now" ? nowNs : init.timeNs;
  if (timeNs !== undefined && timeNs < 0n) refuse(`timeNs is ${timeNs}, a time before 1970`);
  const { network } = init;
  return {
    entropy,
    timeNs:
      timeNs === undefined
        ? undefined
        : [Number(timeNs / 1_000_000_000n), Number(timeNs % 1_000_000_000n)],
    hostname: init.hostname,
    machineId: init.machineId,
    env: init.env,
    network: network && {
      interface: network.interface,
      address: network.address,
      gateway: network.gateway,
      dns: network.dns,
      mac: network.mac,
      mtu: network.mtu,
    },
  };
}

function refuse(what: string): never {
  throw new GuestError("GUEST_BAD_REQUEST", `Cannot initialise the guest: ${what}`, {
    details: { op: "init", outcome: "not-started" },
  });
}
