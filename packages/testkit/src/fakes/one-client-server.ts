import { createServer, type Server, type Socket } from "node:net";

/**
 * A socket server that serves one client at a time, as QEMU's character devices do: later ones are connected and hear nothing until the one before them
 * has gone. A half-close ends the connection in both directions.
 */
export function oneClientServer(serve: (socket: Socket) => void): Server {
  const waiting: Socket[] = [];
  let current: Socket | undefined;
  const next = (): void => {
    current = waiting.shift();
    if (current === undefined) return;
    if (current.destroyed) {
      next();
      return;
    }
    current.once("close", next);
    current.resume();
    serve(current);
  };
  return createServer({ pauseOnConnect: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    waiting.push(socket);
    if (current === undefined) next();
  });
}

/** Listens on `path`, removing what is there first, as QEMU does. */
export function listenOn(
  server: Server,
  path: string,
  remove: (path: string) => void,
): Promise<void> {
  remove(path);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
