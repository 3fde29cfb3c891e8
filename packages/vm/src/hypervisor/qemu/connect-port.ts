import { connect } from "node:net";
import type { Socket } from "node:net";
import { VirgaError, abortedError, errnoOf } from "../../errors.ts";

/** What connecting says when nobody is there: no socket, nobody who listens, or somebody who ended before he took the connection. */
const NOBODY = new Set<string | undefined>(["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"]);

/** Connects to a guest port at once or not at all (undefined: its queue is full): a Unix socket never makes one wait. `HYPERVISOR_EXITED` when no QEMU is there. */
export function connectPort(
  path: string,
  signal: AbortSignal | undefined,
): Promise<Socket | undefined> {
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
        const code = NOBODY.has(errno) ? "HYPERVISOR_EXITED" : "IO_ERROR";
        const message = `Cannot connect to guest port ${path}: ${error.message}`;
        reject(
          new VirgaError(code, message, { cause: error, details: { path, errno: errno ?? null } }),
        );
      }
    });
  });
}
