// A process that behaves as Cloud Hypervisor 53.0 towards its manager. usage: fake-cloud-hypervisor DIRECTORY [ARG…], ARG as for the real one.
import { closeSync, existsSync, openSync, rmSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { readBehaviour } from "./behaviour.ts";
import { CallRunner, type Outcome, type Reply } from "./call-rule.ts";
import { chRoutes } from "./ch-routes.ts";
import { ChVm } from "./ch-vm.ts";
import { restServer, type RestRequest } from "./rest-server.ts";
import { fail, prepareProcess, versionOf } from "./start-up.ts";

const VALUED = new Set([
  "--api-socket",
  "--event-monitor",
  "--log-file",
  "--log-format",
  "--seccomp",
]);
const startedAt = process.hrtime.bigint();
const [directory = "", ...argv] = process.argv.slice(2);
const flags = flagsOf(argv);
const socketPath = flags.get("--api-socket") ?? fail(2, "error: the fake needs --api-socket");
const events = openEvents(flags.get("--event-monitor"));

const vm = new ChVm({
  emit,
  onPowerOff: () => end("VM guest exit event"),
  isDeaf: () => readBehaviour(directory).deafGuest === true,
});

await prepareProcess(directory, () => end("VM exit event"));
emit("vmm", "starting");
const routes = chRoutes(
  vm,
  () => versionOf(directory),
  () => end("VM exit event"),
);
const runner = new CallRunner(directory);
await listen(socketPath);

function flagsOf(words: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (/^-v+$/.test(word) || word === "--no-shutdown") continue;
    const value = words[++i];
    if (!VALUED.has(word) || value === undefined) {
      fail(2, `error: unexpected argument '${word}' found`);
    }
    found.set(word, value.replace(/^path=/, ""));
  }
  return found;
}

/** Like the real one, empties what is named by its path. */
function openEvents(target: string | undefined): number | undefined {
  const [, descriptor] = /^fd=(\d+)$/.exec(target ?? "") ?? [];
  if (descriptor !== undefined) return Number(descriptor);
  return target === undefined ? undefined : openSync(target, "w", 0o600);
}

function emit(
  source: string,
  event: string,
  properties: Record<string, string> | null = null,
): void {
  if (events === undefined) return;
  const elapsed = process.hrtime.bigint() - startedAt;
  const timestamp = {
    secs: Number(elapsed / 1_000_000_000n),
    nanos: Number(elapsed % 1_000_000_000n),
  };
  writeSync(
    events,
    `${JSON.stringify({ timestamp, source, event, properties }, undefined, 2)}\n\n`,
  );
}

/** A clean end: the API socket goes, its lock file stays. Only the log tells who wanted it. */
function end(why: string): void {
  writeSync(
    2,
    `cloud-hypervisor: ${String(process.uptime())}s: <vmm> INFO:vmm/src/lib.rs -- ${why}\n`,
  );
  vm.delete();
  emit("vmm", "shutdown");
  rmSync(socketPath, { force: true });
  process.exit(0);
}

/** The real one's order: lock file, a stale socket removed, bind; a live owner is an error. */
async function listen(path: string): Promise<void> {
  closeSync(openSync(`${path}.lock`, "a", 0o600));
  if (existsSync(path)) {
    if (await answers(path)) {
      fail(1, `API socket ${path} is already in use by another running instance`);
    }
    rmSync(path);
  }
  restServer(handle)
    .on("error", (error) => fail(1, `Cannot create the API socket: ${String(error)}`))
    .listen(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function handle(request: RestRequest): Promise<Reply> {
  const name = request.path.replace(/^\/api\/v1\//, "");
  const route = routes[name];
  const argument = request.body === "" ? undefined : request.body;
  return runner.run(name, route?.shared, argument, async (): Promise<Outcome> => {
    if (route === undefined) return { status: 404, chain: ["Not Found"] };
    if (request.method !== route.method) return { status: 400, value: "" };
    if (route.run !== undefined && argument === undefined) return await route.run();
    if (route.withBody === undefined || argument === undefined) {
      return { status: 400, chain: ["Bad request"] };
    }
    try {
      return await route.withBody(JSON.parse(argument) as Record<string, unknown>);
    } catch (error) {
      return { status: 400, chain: ["Failed to deserialize JSON", String(error)] };
    }
  });
}
