import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { VirgaError, abortedError, errnoOf } from "../../errors.ts";
import type { CallOptions, VmContext } from "../port.ts";
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
      const socket = await connectSocket(portSocket(layout.host, lease.port), options.signal);
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

/** Connects at once or not at all (undefined: the queue is full): a Unix socket never makes one wait. */
function connectSocket(path: string, signal: AbortSignal | undefined): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      if (signal?.aborted === true) {
        socket.destroy();
        reject(abortedError("connecting to the guest", signal));
      } else resolve(socket);
    });
    socket.once("error", (error) => {
      const errno = errnoOf(error);
      if (errno === "EAGAIN") resolve(undefined);
      else {
        const code =
          errno === "ENOENT" || errno === "ECONNREFUSED" ? "HYPERVISOR_EXITED" : "IO_ERROR";
        const message = `Cannot connect to guest port ${path}: ${error.message}`;
        reject(
          new VirgaError(code, message, { cause: error, details: { path, errno: errno ?? null } }),
        );
      }
    });
  });
}
