import type { Duplex } from "node:stream";
import { VirgaError } from "../../errors.ts";
import type { CallOptions, VmContext } from "../port.ts";
import { connectPort } from "./connect-port.ts";
import { portSocket } from "./files.ts";
import { GuestPortStream } from "./guest-port-stream.ts";
import { waitForOpenPorts } from "./open-ports.ts";
import { leasePort } from "./port-lease.ts";

/**
 * A connection over a free guest port, once the guest has opened its ports.
 *
 * `TIMEOUT` when it has not until the deadline, `CAPACITY` when all ports are in use until then, `HYPERVISOR_EXITED` when no QEMU is there.
 */
export async function connectGuestPort(context: VmContext, options: CallOptions): Promise<Duplex> {
  const { layout, config } = context;
  if (!config.guestChannel) {
    throw new VirgaError(
      "UNSUPPORTED",
      `VM "${config.sandboxId}" was made without a guest channel`,
      {
        details: { driver: "qemu", feature: "guestChannel" },
      },
    );
  }
  const deadline = performance.now() + options.timeoutMs;
  const open = await waitForOpenPorts(context, options);
  // Ports somebody uses without a lease: their queue is full.
  const taken = new Set<number>();
  for (;;) {
    const timeoutMs = Math.max(0, deadline - performance.now());
    const lease = await leasePort(
      layout.portLocks,
      { ...options, timeoutMs },
      (port) => open.has(port) && !taken.has(port),
    );
    let leased = true;
    try {
      const socket = await connectPort(portSocket(layout.host, lease.port), options.signal);
      if (socket !== undefined) {
        leased = false;
        return new GuestPortStream(socket, () => lease.release());
      }
      taken.add(lease.port);
    } finally {
      if (leased) lease.release();
    }
  }
}
