import { spawn } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import { channels } from "./machine-arguments.ts";

/** How a machine ended: with the command's exit code, or without one. */
export type MachineEnd =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "died"; readonly reason: string; readonly consoleTail: string }
  | { readonly kind: "timeout"; readonly consoleTail: string }
  | { readonly kind: "aborted" };

/** One run of the emulated machine. */
export interface MachineRun {
  readonly argv: readonly string[];
  /** What the machine runs once it is up. */
  readonly script: string;
  readonly timeoutMs: number;
  readonly stdout: (chunk: Buffer) => void | Promise<void>;
  readonly stderr: (chunk: Buffer) => void | Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

const tailBytes = 16 << 10;

/**
 * With nested guests the emulated processor now and then loses the interrupt of its timer, and then sleeps until another one comes: seen with QEMU 7.2,
 * every few hundred starts of a guest. So one comes every second.
 */
const HEARTBEAT_MS = 1_000;

/**
 * Runs the machine until it has powered off or is made to. Nothing of it is left: it lies on no disk, listens nowhere,
 * and dies with this process.
 */
export async function runMachine(run: MachineRun): Promise<MachineEnd> {
  if (run.signal?.aborted) return { kind: "aborted" };
  const [program = "", ...args] = run.argv;
  // setpriv: even a SIGKILL of this process ends the machine.
  // A session of its own: Ctrl-C on the terminal comes to this process, which decides.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...args], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe", "pipe"],
  });
  let end: "timeout" | "aborted" | undefined;
  const stop = (why: "timeout" | "aborted") => {
    end ??= why;
    child.kill("SIGKILL");
  };
  const timer = setTimeout(stop, run.timeoutMs, "timeout");
  const abort = () => stop("aborted");
  run.signal?.addEventListener("abort", abort, { once: true });

  const channel = (fd: number): Duplex => child.stdio[fd] as Duplex;
  let words = "";
  let consoleTail = "";
  let code: number | undefined;
  const keep = (text: string, chunk: Buffer) => (text + chunk.toString("latin1")).slice(-tailBytes);
  const control = channel(channels.control);
  let line = "";
  let heartbeat: NodeJS.Timeout | undefined;
  const onControl = (chunk: Buffer) => {
    line += chunk.toString("latin1");
    for (let at = line.indexOf("\n"); at >= 0; at = line.indexOf("\n")) {
      const message = line.slice(0, at);
      line = line.slice(at + 1);
      if (message === "ready") {
        control.write(`${Buffer.byteLength(run.script)}\n${run.script}`);
        heartbeat ??= setInterval(() => {
          if (control.writable && !control.writableNeedDrain) control.write("\n");
        }, HEARTBEAT_MS);
      } else {
        const exit = /^exit (\d{1,3})$/u.exec(message);
        if (exit !== null) code = Number(exit[1]);
      }
    }
    line = line.slice(-1024);
  };
  try {
    const [, status] = await Promise.all([
      Promise.all([
        consume(channel(channels.stdout), run.stdout),
        consume(channel(channels.stderr), run.stderr),
        consume(control, onControl),
        consume(channel(channels.console), (chunk) => {
          consoleTail = keep(consoleTail, chunk);
        }),
        consume(child.stdout, (chunk) => {
          words = keep(words, chunk);
        }),
        consume(child.stderr, (chunk) => {
          words = keep(words, chunk);
        }),
      ]),
      new Promise<string>((resolve, reject) => {
        child.once("error", reject);
        child.once("exit", (exit, signal) => {
          resolve(signal === null ? `ended with status ${exit}` : `was killed by ${signal}`);
        });
      }),
    ]);
    if (code !== undefined) return { kind: "exit", code };
    if (end === "aborted") return { kind: "aborted" };
    if (end === "timeout") return { kind: "timeout", consoleTail };
    const reason = `QEMU ${status} before the command did${words && `: ${words.trim()}`}`;
    return { kind: "died", reason, consoleTail };
  } finally {
    clearTimeout(timer);
    clearInterval(heartbeat);
    run.signal?.removeEventListener("abort", abort);
    child.kill("SIGKILL");
  }
}

async function consume(
  stream: Readable | null | undefined,
  take: (chunk: Buffer) => void | Promise<void>,
): Promise<void> {
  if (!stream) return;
  try {
    for await (const chunk of stream) await take(chunk);
  } catch (error) {
    // A killed machine resets its channels instead of ending them.
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ECONNRESET" && code !== "EPIPE") throw error;
  }
}
