import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError } from "../../errors.ts";
import type { CallOptions, VmContext } from "../port.ts";
import { GUEST_PORTS } from "./files.ts";
import { withQmp } from "./qmp-session.ts";

/** Each look takes processor time from an emulated guest: the longer it has taken already, the rarer they are. A fiftieth of that is lost at most. */
const POLL_MS = 20;
const LONGEST_POLL_MS = 100;
const POLLS = 50;

/** A guest that opens fewer ports than there are has opened its last when none came for this long. */
const SETTLED_MS = 1_000;

/** The guest ports that a program in the guest holds open. */
export async function openPorts(context: VmContext, options: CallOptions): Promise<Set<number>> {
  const answer = await withQmp(context.layout.host.qmpReads, options, (qmp) =>
    qmp.execute("query-chardev"),
  );
  if (!Array.isArray(answer)) {
    throw new VirgaError(
      "HYPERVISOR_PROTOCOL",
      "Cannot understand QEMU's answer to query-chardev",
      {
        details: { received: JSON.stringify(answer)?.slice(0, 200) ?? null },
      },
    );
  }
  const ports = new Set<number>();
  for (const device of answer as unknown[]) {
    const { label, "frontend-open": isOpen } = Object(device) as Record<string, unknown>;
    const number = typeof label === "string" ? /^port(\d{1,2})$/u.exec(label)?.[1] : undefined;
    if (isOpen === true && number !== undefined) ports.add(Number(number));
  }
  return ports;
}

/** VMs whose guest has opened every port: this is asked once. */
const opened = new WeakMap<VmContext, ReadonlySet<number>>();

/**
 * Waits until the guest has opened its ports, and gives them. `TIMEOUT` when it has opened none.
 *
 * No port may be connected earlier: QEMU tells the guest's kernel of ports, their names and their connections through a queue of 32 places, and drops what
 * does not fit. Clients that came during the boot cost 9 of 16 ports their names, and so their lives.
 */
export async function waitForOpenPorts(
  context: VmContext,
  options: CallOptions,
): Promise<ReadonlySet<number>> {
  const known = opened.get(context);
  if (known !== undefined) return known;
  const { signal, timeoutMs } = options;
  const started = performance.now();
  const deadline = started + timeoutMs;
  let seen = { count: 0, since: performance.now() };
  for (;;) {
    if (signal?.aborted === true) throw abortedError("waiting for the guest to listen", signal);
    const leftMs = deadline - performance.now();
    const ports = await openPorts(context, { timeoutMs: Math.max(leftMs, 1), signal });
    const now = performance.now();
    if (ports.size === GUEST_PORTS) {
      opened.set(context, ports);
      return ports;
    }
    if (ports.size !== seen.count) seen = { count: ports.size, since: now };
    if (ports.size > 0 && now - seen.since >= SETTLED_MS) return ports;
    if (now >= deadline) {
      throw new VirgaError(
        "TIMEOUT",
        `The guest of VM "${context.config.sandboxId}" opened ${ports.size} of ${GUEST_PORTS} ports within ${timeoutMs} ms`,
        { details: { opened: ports.size, ports: GUEST_PORTS, timeoutMs } },
      );
    }
    const pollMs = Math.min(LONGEST_POLL_MS, Math.max(POLL_MS, (now - started) / POLLS));
    await sleep(Math.min(pollMs, Math.max(deadline - now, 0)));
  }
}
