import { createServer, type Server } from "node:net";
import type { FakeGuest } from "./fake-guest.ts";

const FIRST_HOST_PORT = 2 ** 30;
const LONGEST_COMMAND = 32;
const MAX_CONNECTIONS = 1023;

/**
 * Cloud Hypervisor's vsock socket: `CONNECT <port>` is answered by `OK <host port>`, then the bytes are the guest's. A bad command, or a port that
 * nobody in the guest listens on, closes the connection without an answer.
 */
export function hybridVsock(guest: FakeGuest, isDeaf: () => boolean): Server {
  let hostPort = FIRST_HOST_PORT;
  const server = createServer((socket) => {
    let text = "";
    socket.on("error", () => socket.destroy());
    const onData = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\n");
      if (end < 0 && text.length <= LONGEST_COMMAND) return;
      socket.off("data", onData);
      if (!/^connect \d{1,10}$/i.test(text.slice(0, end)) || isDeaf()) {
        socket.destroy();
        return;
      }
      socket.write(`OK ${hostPort++}\n`);
      guest.serve(socket, Buffer.from(text.slice(end + 1), "latin1"));
    };
    socket.on("data", onData);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}
