import { rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { VirgaError, errnoOf } from "../errors.ts";

/** Removes sockets that a dead VMM left. One that somebody still answers on is `SOCKET_IN_USE`, and stays. */
export async function removeStaleSockets(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (await hasOwner(path)) {
      throw new VirgaError("SOCKET_IN_USE", `Socket ${path} is in use by a running process`, {
        details: { path },
        hint: "Another VM uses this directory; choose another one.",
      });
    }
    await rm(path, { force: true });
  }
}

async function hasOwner(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      socket.destroy();
      const code = errnoOf(error);
      // EAGAIN: its queue is full, so it has one. ENOTSOCK and the like: a file that is not ours to remove.
      if (code === "ENOENT" || code === "ECONNREFUSED") resolve(false);
      else if (code === "EAGAIN") resolve(true);
      else reject(error);
    });
  });
}
