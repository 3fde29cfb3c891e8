import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { openSync, closeSync } from "node:fs";
import type { Duplex } from "node:stream";
import { virgaCommand } from "../virga-command.ts";
import { VirgaError, abortedError, errnoOf, errorText } from "../errors.ts";
import { identifyProcess } from "./process-identity.ts";
import type { ProcessIdentity } from "./process-identity.ts";

/** One bind mount inside the VM's mount namespace. */
export interface BindMount {
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
}

/** What the launcher sets up before it becomes the VMM. */
export interface LauncherOptions {
  /** Path of the launcher's binary. */
  readonly launcher: string;
  readonly argv: readonly [string, ...string[]];
  /** File that the VMM's stderr is appended to, and its stdout where that has none of its own. */
  readonly logPath: string;
  readonly stdoutPath?: string | undefined;
  /** Files that its descriptors from 4 on append to. */
  readonly descriptorPaths?: readonly string[] | undefined;
  /** Network namespace: a path, `new`, or undefined to stay. */
  readonly networkNamespace?: string | undefined;
  /** Network device that must exist in that namespace. */
  readonly networkDevice?: string | undefined;
  readonly mountNamespace: boolean;
  readonly binds: readonly BindMount[];
  readonly rlimits: Readonly<Record<string, number>>;
  readonly cgroup?: string | undefined;
  /** Whether the VMM is killed when this process ends (the thread that started it, where it has several). Default: it lives on. */
  readonly diesWithParent?: boolean | undefined;
}

/** A launcher that was spawned and waits for its go. */
export interface HeldLaunch {
  readonly child: ChildProcess;
  readonly identity: ProcessIdentity;
  /** Lets it go on; resolves when it has become the VMM. `LAUNCH_FAILED` names the failing step, path and errno; `ABORTED` by the signal. */
  go(timeoutMs: number, signal?: AbortSignal): Promise<void>;
}

/** The launcher's command line. */
export function launcherArguments(options: LauncherOptions): string[] {
  const args: string[] = [];
  if (options.diesWithParent === true) args.push("--die-with-parent", String(process.pid));
  if (options.cgroup !== undefined) args.push("--cgroup", options.cgroup);
  if (options.networkNamespace !== undefined) args.push("--netns", options.networkNamespace);
  if (options.networkDevice !== undefined) args.push("--netdev", options.networkDevice);
  if (options.mountNamespace) {
    args.push("--mountns");
    for (const bind of options.binds)
      args.push(bind.readonly ? "--bind-ro" : "--bind", bind.source, bind.target);
  }
  const descriptors = options.descriptorPaths?.length ?? 0;
  if (descriptors > 0) args.push("--descriptors", String(descriptors));
  for (const [name, value] of Object.entries(options.rlimits))
    args.push("--rlimit", `${name}=${value}`);
  args.push("--", ...options.argv);
  return args;
}

/** Spawns the launcher, held before its first step, and reads the identity of the process that will be the VMM. */
export async function spawnHeld(options: LauncherOptions): Promise<HeldLaunch> {
  const { logPath, stdoutPath = logPath, descriptorPaths = [] } = options;
  const opened: number[] = [];
  let child: ChildProcess;
  try {
    for (const path of [stdoutPath, logPath, ...descriptorPaths])
      opened.push(openSync(path, "a", 0o600));
    const [stdout = "ignore", stderr = "ignore", ...descriptors] = opened;
    child = spawn(options.launcher, launcherArguments(options), {
      stdio: ["ignore", stdout, stderr, "pipe", ...descriptors],
      env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C" },
      cwd: "/",
    });
  } finally {
    opened.forEach((file) => closeSync(file));
  }
  await spawned(child, options.launcher);
  const pipe = child.stdio[3] as Duplex | null | undefined;
  // `spawned` resolved: the child is ours and not yet reaped, so its number cannot be another process's.
  const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
  if (pipe === null || pipe === undefined || identity === undefined) {
    child.kill("SIGKILL");
    throw new VirgaError(
      "LAUNCH_FAILED",
      `The launcher ${options.launcher} ended before its first step`,
      {
        details: { launcher: options.launcher },
      },
    );
  }
  return { child, identity, go: (timeoutMs, signal) => release(pipe, options, timeoutMs, signal) };
}

async function spawned(child: ChildProcess, launcher: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => {
      const missing = errnoOf(error) === "ENOENT" || errnoOf(error) === "EACCES";
      reject(
        new VirgaError(
          missing ? "LAUNCHER_MISSING" : "LAUNCH_FAILED",
          `Cannot start the launcher ${launcher}: ${errorText(error)}`,
          {
            cause: error,
            details: { launcher },
            ...(missing && { hint: `Run: ${virgaCommand("setup")}` }),
          },
        ),
      );
    });
  });
}

const MAX_REPORT_BYTES = 16_384;

async function release(
  pipe: Duplex,
  options: LauncherOptions,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  let onAbort: (() => void) | undefined;
  const report = await new Promise<string>((resolve, reject) => {
    let text = "";
    const timer = setTimeout(() => {
      reject(
        new VirgaError("TIMEOUT", `The launcher did not finish within ${timeoutMs} ms`, {
          details: { timeoutMs },
        }),
      );
    }, timeoutMs);
    const settle = (run: () => void): void => {
      clearTimeout(timer);
      run();
    };
    onAbort = () => {
      if (signal !== undefined) settle(() => reject(abortedError("starting the VMM", signal)));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    pipe.on("data", (chunk: Buffer) => {
      if (text.length < MAX_REPORT_BYTES) text += chunk.toString("utf8");
    });
    pipe.once("end", () => settle(() => resolve(text)));
    pipe.once("error", (error) => {
      // A launcher that failed before its go has reported already; then writing the go breaks the pipe.
      settle(() => (text === "" ? reject(brokenPipe(error)) : resolve(text)));
    });
    if (signal?.aborted === true) onAbort();
    else pipe.write("g");
  }).finally(() => {
    if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
    pipe.destroy();
  });
  // End without a word means that exec succeeded (or that somebody killed the process: its watch tells).
  if (report !== "") throw launchError(report, options);
}

function brokenPipe(error: Error): VirgaError {
  return new VirgaError("LAUNCH_FAILED", `The launcher's pipe broke: ${errorText(error)}`, {
    cause: error,
  });
}

/** What the launcher reports, as one sentence. */
export function launchError(report: string, options: Pick<LauncherOptions, "argv">): VirgaError {
  let parsed: { step?: unknown; errno?: unknown; code?: unknown; path?: unknown } = {};
  try {
    parsed = JSON.parse(report) as typeof parsed;
  } catch {
    return new VirgaError(
      "LAUNCH_FAILED",
      `The launcher failed and said something unexpected: ${JSON.stringify(report.slice(0, 200))}`,
    );
  }
  const step = String(parsed.step);
  const path = typeof parsed.path === "string" ? parsed.path : undefined;
  const name = typeof parsed.code === "string" ? parsed.code : `errno ${String(parsed.errno)}`;
  const details = { launcherStep: step, errno: parsed.errno, errnoName: name, path };
  if (step === "exec" && (name === "ENOENT" || name === "EACCES" || name === "ENOEXEC")) {
    const why = name === "ENOENT" ? "does not exist" : "is not executable";
    return new VirgaError("HYPERVISOR_MISSING", `The hypervisor binary ${options.argv[0]} ${why}`, {
      details,
    });
  }
  if (
    (step === "netns" || step === "netdev") &&
    (name === "ENOENT" || name === "ENODEV" || name === "EINVAL")
  ) {
    const what = step === "netns" ? "Network namespace" : "Network device";
    return new VirgaError("NOT_FOUND", `${what} ${path ?? "?"} does not exist (${name})`, {
      details,
    });
  }
  return new VirgaError(
    "LAUNCH_FAILED",
    `The launcher failed at step "${step}"${path === undefined ? "" : ` on ${path}`}: ${name}`,
    { details },
  );
}
