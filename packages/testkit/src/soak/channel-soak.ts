import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Vm } from "@virga/vm";
import { AgentClient } from "@virga/guest";
import type { SoakReport } from "./soak-rounds.ts";

/** What one process of a soak is told. */
export interface SoakTask {
  /** The manager's directory. */
  readonly directory: string;
  readonly vmDirectory: string;
  readonly launcher: string;
  readonly rounds: number;
  readonly seed: number;
}

const GUEST_PORTS = 16;
const DEADLINE_MS = 60_000;

/**
 * Uses a VM's guest channel from several processes at once, most of it broken off at random points, and kills one more process in the middle.
 * Gives each survivor's report.
 */
export async function soakChannel(
  task: Omit<SoakTask, "rounds" | "seed">,
  options: { readonly processes: number; readonly rounds: number; readonly seed: number },
): Promise<SoakReport[]> {
  const { processes, rounds, seed } = options;
  const victim = startWorker({ ...task, rounds: 1_000_000, seed: seed + processes });
  try {
    const running = Array.from({ length: processes }, (_, index) =>
      finish(startWorker({ ...task, rounds, seed: seed + index })),
    );
    await victim.ready;
    const first = await Promise.race(running);
    victim.child.kill("SIGKILL");
    const reports = await Promise.all(running);
    return first === undefined ? [] : reports;
  } finally {
    victim.child.kill("SIGKILL");
  }
}

interface Worker {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly report: Promise<SoakReport>;
}

function startWorker(task: SoakTask): Worker {
  const program = new URL("./soak-worker.ts", import.meta.url).pathname;
  const child = spawn(
    process.execPath,
    ["--conditions=virga-source", program, JSON.stringify(task)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ready = Promise.withResolvers<void>();
  const report = Promise.withResolvers<SoakReport>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line === "ready") ready.resolve();
    else report.resolve(JSON.parse(line) as SoakReport);
  });
  child.on("close", (code, signal) => {
    const error = new Error(`a soak process ended early: ${signal ?? code}`);
    ready.reject(error);
    report.reject(error);
  });
  // Nobody may be waiting for the one that is killed.
  ready.promise.catch(() => undefined);
  report.promise.catch(() => undefined);
  return { child, ready: ready.promise, report: report.promise };
}

async function finish({ child, report }: Worker): Promise<SoakReport> {
  try {
    const result = await report;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return result;
  } finally {
    child.kill("SIGKILL");
  }
}

/**
 * Fails unless the agent answers on every port: all of them are held until the last has answered, so a second try can only find the port of the first.
 */
export async function expectEveryPort(vm: Vm): Promise<void> {
  const clients = Array.from(
    { length: GUEST_PORTS },
    () =>
      new AgentClient({
        connect: (options) => vm.connectGuest(options),
        timeoutMs: DEADLINE_MS,
        maxIdle: 1,
        idleTimeoutMs: 2 * DEADLINE_MS,
      }),
  );
  try {
    await Promise.all(clients.map((client) => client.ping()));
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}
