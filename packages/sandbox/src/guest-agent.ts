import { randomBytes } from "node:crypto";
import { AgentClient, isGuestError } from "@virga/guest";
import type { GuestInit } from "@virga/guest";
import type { Logger, Vm } from "@virga/vm";
import { whileAlive } from "./vm-death.ts";

/** A client of the agent in this VM's guest. */
export function agentOf(vm: Vm, logger: Logger): AgentClient {
  return new AgentClient({ connect: (options) => vm.connectGuest(options), logger });
}

/** Waits until the agent of a booting guest answers. */
export async function awaitAgent(
  vm: Vm,
  agent: AgentClient,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  await whileAlive(vm, "boot the guest", agent.ping({ timeoutMs, ...(signal && { signal }) }));
}

/** Whether the guest did not answer in time: on a busy host a boot may hang. */
export function isSilent(error: unknown): boolean {
  return isGuestError(error) && error.code === "GUEST_TIMEOUT";
}

/** What makes a guest itself and no copy of another: fresh entropy, the time, names of its own. */
export function identityOf(id: string, env: Readonly<Record<string, string>> = {}): GuestInit {
  return {
    entropy: randomBytes(256),
    timeNs: "now",
    hostname: id,
    machineId: randomBytes(16).toString("hex"),
    env,
  };
}
