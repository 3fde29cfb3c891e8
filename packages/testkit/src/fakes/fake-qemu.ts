// A process that behaves as QEMU 7.2 towards its manager. usage: fake-qemu DIRECTORY [ARG…], ARG as for the real one.
import { existsSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { readBehaviour } from "./behaviour.ts";
import { CallRunner } from "./call-rule.ts";
import { listenOn, oneClientServer } from "./one-client-server.ts";
import { QemuMachine } from "./qemu-machine.ts";
import { parseQemuOptions, type QemuOptions } from "./qemu-options.ts";
import { QmpServer } from "./qmp-server.ts";
import { fail, prepareProcess, versionOf } from "./start-up.ts";

const PROGRAM = "qemu-system-x86_64";
const [directory = "", ...argv] = process.argv.slice(2);
const options = orFail(() => parseQemuOptions(argv, readBehaviour(directory)));
await prepareProcess(directory, () => {
  trace("qemu_system_shutdown_request", "reason=4");
  end(0, `terminating on signal 15 from pid ${process.ppid} (fake)`);
});
for (const path of [...options.payload, ...options.disks]) {
  if (!existsSync(path)) fail(1, `${PROGRAM}: Could not open '${path}': No such file or directory`);
}
if (options.pidFile !== undefined) writeFileSync(options.pidFile, `${process.pid}\n`);

const machine = orFail(
  () =>
    new QemuMachine(options, {
      version: versionOf(directory),
      emit: (event, data) => qmp.emit(event, data),
      exit: end,
      trace,
    }),
);
const qmp = new QmpServer(machine, new CallRunner(directory));
try {
  for (const path of options.guestPorts) await listenOn(oneClientServer(serveGuest), path, remove);
  for (const path of options.qmpSockets) await listenOn(qmp.socketServer(), path, remove);
} catch (error) {
  fail(1, `${PROGRAM}: ${String(error)}`);
}
machine.start();

function remove(path: string): void {
  rmSync(path, { force: true });
}

function trace(event: string, text: string): void {
  if (options.traces.has(event)) writeSync(2, `${event} ${text}\n`);
}

function serveGuest(socket: Parameters<typeof machine.guest.serve>[0]): void {
  if (readBehaviour(directory).deafGuest === true) socket.resume();
  else machine.guest.serve(socket);
}

function orFail<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    return fail(1, `${PROGRAM}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A clean end removes the sockets and the pid file. */
function end(code: number, message?: string): void {
  if (message !== undefined) writeSync(2, `${PROGRAM}: ${message}\n`);
  const { qmpSockets, guestPorts, pidFile }: QemuOptions = options;
  for (const path of [...qmpSockets, ...guestPorts]) remove(path);
  if (pidFile !== undefined) remove(pidFile);
  process.exit(code);
}
