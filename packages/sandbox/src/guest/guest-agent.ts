import { randomBytes } from "node:crypto";
import { AgentClient, isGuestError } from "@virga/guest";
import type { GuestInit } from "@virga/guest";
import { VirgaError, isVirgaError } from "@virga/vm";
import type { Logger, Vm } from "@virga/vm";
import { guestNetwork } from "../network/guest-network.ts";
import type { NetworkChoice } from "../network/guest-network.ts";
import { whileAlive } from "./vm-death.ts";

/** Milliseconds a guest may take until its agent answers. */
const READY_MS = { kvm: 30_000, tcg: 120_000 } as const;

/** What is known of guests on this machine. */
interface GuestTools {
  readonly logger: Logger;
  /** Milliseconds a guest may take until it answers; undefined for what is usual. */
  readonly guestTimeoutMs: number | undefined;
}

/** A client of the agent in this VM's guest. */
export function agentOf(vm: Vm, tools: GuestTools): AgentClient {
  const { logger, guestTimeoutMs: timeoutMs } = tools;
  return new AgentClient({
    connect: (options) => vm.connectGuest(options),
    logger,
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
}

/** Milliseconds until the agent of a VM of this kind must have answered. */
export function readyTimeoutMs(
  { guestTimeoutMs }: Pick<GuestTools, "guestTimeoutMs">,
  accelerator: "kvm" | "tcg",
): number {
  return guestTimeoutMs ?? READY_MS[accelerator];
}

/** Waits until the agent of a booting guest answers. `TIMEOUT` at once when the boot is seen to hang. */
export async function awaitAgent(
  vm: Vm,
  agent: AgentClient,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const over = new AbortController();
  const signals = signal === undefined ? [over.signal] : [over.signal, signal];
  const answer = agent.ping({ timeoutMs, signal: AbortSignal.any(signals) });
  answer.catch(() => undefined);
  try {
    await whileAlive(vm, "boot the guest", Promise.race([answer, hang(vm, over.signal)]));
  } finally {
    over.abort();
  }
}

/** Rejects when the boot hangs, and never settles otherwise. What else becomes of the VM, others tell. */
async function hang(vm: Vm, signal: AbortSignal): Promise<never> {
  const seen = await vm.watchBoot({ signal }).catch(() => "unknown");
  if (seen === "hung") {
    throw new VirgaError("TIMEOUT", `The kernel of VM "${vm.id}" hangs in its boot`, {
      details: { id: vm.id },
    });
  }
  return new Promise<never>(() => undefined);
}

/** Whether the guest did not answer in time: on a busy host a boot may hang. */
export function isSilent(error: unknown): boolean {
  return (
    (isGuestError(error) && error.code === "GUEST_TIMEOUT") ||
    (isVirgaError(error) && error.code === "TIMEOUT")
  );
}

/** A new machine id. */
export function newMachineId(): string {
  return randomBytes(16).toString("hex");
}

type GuestNames = Required<Pick<GuestInit, "hostname" | "machineId" | "env">> & {
  readonly network?: NetworkChoice;
};

/** What makes a guest itself and no copy of another: fresh entropy, the time, names of its own. */
export function identityOf(id: string, env: Readonly<Record<string, string>> = {}): GuestInit {
  return identityOfSpec({ hostname: id, machineId: newMachineId(), env });
}

/** The same for a guest that has its names already: fresh entropy, the time, who it is, and its side of the network. */
function identityOfSpec(spec: GuestNames): GuestInit {
  const { hostname, machineId, env } = spec;
  const network = guestNetwork(spec.network ?? "none");
  return {
    entropy: randomBytes(256),
    timeNs: "now",
    hostname,
    machineId,
    env,
    ...(network && { network }),
  };
}

/** Tells a guest who it is, as soon as its agent answers. What is frozen in it runs from then on. */
export async function tellWhoItIs(
  agent: AgentClient,
  tools: Pick<GuestTools, "guestTimeoutMs">,
  spec: GuestNames & { readonly accelerator: "kvm" | "tcg" },
  signal: AbortSignal | undefined,
): Promise<void> {
  await agent.init(identityOfSpec(spec), {
    connectTimeoutMs: readyTimeoutMs(tools, spec.accelerator),
    ...(signal && { signal }),
  });
}
