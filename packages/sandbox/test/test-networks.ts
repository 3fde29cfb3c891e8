// Network namespaces in which a test plays this machine and the world outside.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { prerequisite } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";

/** Addresses in the test's world. */
export const WORLD = "203.0.113.1";
export const MACHINE = "203.0.113.2";

/** Why there can be no such test here, as a test's `skip`; `false` when there can. */
export function networksMissing(): false | string {
  const name = `vt-try-${process.pid}`;
  const made = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (made.status === 0) execFileSync("ip", ["netns", "del", name]);
  const why = made.error?.message ?? made.stderr;
  const programs = ["passt", "nsenter", "unshare"].filter(
    (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0,
  );
  if (programs.length > 0) return prerequisite("passt", `there is no ${programs.join(", ")}`);
  return prerequisite("netns", made.status === 0 ? undefined : `no network namespaces: ${why}`);
}

/** A server of a test's. */
interface TestServer {
  /** How many it has served. */
  served(): number;
}

/** The test's machine and world. */
export interface TestNetworks {
  /** Starts a server of `net-server.ts` on the machine or outside, and waits until it listens. */
  serve(where: "machine" | "world", ...args: readonly string[]): Promise<TestServer>;
  /** Runs a program of this folder on the machine, where `resolver` is asked for names; gives its standard output. */
  run(program: string, args: readonly string[], resolver: string): Promise<string>;
}

/** Gives `body` a machine whose way out leads to a world of one address. Both are removed. */
export async function withNetworks(
  place: TestPlace,
  body: (networks: TestNetworks) => Promise<void>,
): Promise<void> {
  const token = basename(place.root);
  const names = { machine: `${token}-m`, world: `${token}-w` } as const;
  const servers: ChildProcess[] = [];
  try {
    for (const name of Object.values(names)) ip("netns", "add", name);
    const pair = ["name", "up0", "type", "veth", "peer", "name", "down0", "netns", names.world];
    ip("-n", names.machine, "link", "add", ...pair);
    for (const [name, device, address] of [
      [names.machine, "up0", MACHINE],
      [names.world, "down0", WORLD],
    ] as const) {
      ip("-n", name, "link", "set", "lo", "up");
      ip("-n", name, "address", "add", `${address}/24`, "dev", device);
      ip("-n", name, "link", "set", device, "up");
    }
    ip("-n", names.machine, "route", "add", "default", "via", WORLD);
    await body({
      serve: async (where, ...args) => {
        const child = inside(names[where], node("net-server.ts", args));
        servers.push(child);
        return listening(child);
      },
      run: async (program, args, resolver) => {
        const file = join(place.scratch, "resolv.conf");
        await writeFile(file, `nameserver ${resolver}\n`);
        const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
        const command = ["unshare", "--mount", "sh", "-c", script, file, ...node(program, args)];
        const child = inside(names.machine, command);
        const [said, [code]] = await Promise.all([text(child.stdout!), once(child, "exit")]);
        if (code !== 0) throw new Error(`${program} ended with ${String(code)}: ${said}`);
        return said;
      },
    });
  } finally {
    for (const child of servers) {
      const gone = once(child, "exit");
      if (child.kill("SIGKILL")) await gone;
    }
    for (const name of Object.values(names)) spawnSync("ip", ["netns", "del", name]);
  }
}

function ip(...words: string[]): void {
  execFileSync("ip", words, { encoding: "utf8" });
}

function node(program: string, args: readonly string[]): string[] {
  const file = join(import.meta.dirname, program);
  return [process.execPath, "--conditions=virga-source", file, ...args];
}

function inside(namespace: string, command: readonly string[]): ChildProcess {
  return spawn("nsenter", [`--net=/run/netns/${namespace}`, "--", ...command], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function listening(child: ChildProcess): Promise<TestServer> {
  const lines = createInterface(child.stdout!);
  let served = 0;
  const ready = once(lines, "line");
  lines.on("line", (line) => {
    if (line === "served") served++;
  });
  await ready;
  return { served: () => served };
}
