import { spawn } from "node:child_process";
import { VirgaError, abortedError, errnoOf, errorText } from "../../errors.ts";
import { isAtLeast } from "../is-at-least.ts";
import type { CallOptions, HypervisorBinary } from "../port.ts";

/** Oldest release that is driven. */
const FLOOR = [53, 0, 0] as const;

const MAX_OUTPUT_BYTES = 16 * 1024;

/** What `cloud-hypervisor --version` says: the version as written, and its numbers. Undefined where it says something else. */
export function parseVersion(
  output: string,
): Pick<HypervisorBinary, "version" | "numbers"> | undefined {
  const match =
    /^cloud-hypervisor (v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[-+][\w.+-]{1,64})?)\s*$/mu.exec(
      output,
    );
  if (match === null) return undefined;
  const [, version = "", major, minor, patch = "0"] = match;
  return { version, numbers: [Number(major), Number(minor), Number(patch)] };
}

/**
 * Asks the binary who it is. `HYPERVISOR_MISSING` when it cannot be run or is something else, `HYPERVISOR_TOO_OLD` below the floor,
 * `TIMEOUT` and `ABORTED` as asked.
 */
export async function identifyCloudHypervisor(
  binary: string,
  options: CallOptions,
): Promise<HypervisorBinary> {
  const output = await versionOutput(binary, options);
  const parsed = parseVersion(output);
  if (parsed === undefined) {
    throw new VirgaError("HYPERVISOR_MISSING", `${binary} is not Cloud Hypervisor`, {
      details: { binary, output: output.slice(0, 500) },
      hint: "Name the binary of a Cloud Hypervisor release.",
    });
  }
  if (!isAtLeast(parsed.numbers, FLOOR)) {
    throw new VirgaError(
      "HYPERVISOR_TOO_OLD",
      `${binary} is Cloud Hypervisor ${parsed.version}, at least v${FLOOR[0]}.${FLOOR[1]} is needed: ` +
        "older ones double a guest's memory or damage snapshots of demand-paged guests",
      {
        details: { binary, version: parsed.version, floor: `v${FLOOR[0]}.${FLOOR[1]}` },
        hint: "Install a newer release of Cloud Hypervisor.",
      },
    );
  }
  return { name: "cloud-hypervisor", binary, mapsReadOnly: false, ...parsed };
}

function versionOutput(binary: string, { timeoutMs, signal }: CallOptions): Promise<string> {
  const what = `asking ${binary} for its version`;
  if (signal?.aborted === true) return Promise.reject(abortedError(what, signal));
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ["--version"], { stdio: ["ignore", "pipe", "ignore"] });
    let output = "";
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      // A program that is no hypervisor may have left a child that holds the pipe open.
      child.kill("SIGKILL");
      child.stdout.destroy();
      finish();
    };
    const onAbort = (): void => {
      if (signal !== undefined) settle(() => reject(abortedError(what, signal)));
    };
    const timer = setTimeout(() => {
      const message = `${binary} did not tell its version within ${timeoutMs} ms`;
      settle(() => reject(new VirgaError("TIMEOUT", message, { details: { binary, timeoutMs } })));
    }, timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(0, MAX_OUTPUT_BYTES);
    });
    child.on("error", (error) => settle(() => reject(cannotRun(binary, error))));
    child.on("close", () => settle(() => resolve(output)));
  });
}

function cannotRun(binary: string, error: Error): VirgaError {
  return new VirgaError("HYPERVISOR_MISSING", `Cannot run ${binary}: ${errorText(error)}`, {
    cause: error,
    details: { binary, errno: errnoOf(error) ?? null },
    hint: "Install Cloud Hypervisor's release binary, or name it by VIRGA_CLOUD_HYPERVISOR.",
  });
}
