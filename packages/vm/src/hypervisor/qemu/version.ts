import { execFile } from "node:child_process";
import { VirgaError, abortedError, errnoOf, errorText } from "../../errors.ts";
import type { CallOptions, HypervisorBuild } from "../port.ts";

/** The oldest QEMU that is driven. */
const FLOOR: HypervisorBuild["numbers"] = [7, 2, 0];

const MAX_ANSWER_BYTES = 64 * 1024;

/** Asks the QEMU `binary` who it is. */
export async function identifyQemu(
  binary: string,
  accelerator: HypervisorBuild["accelerator"],
  options: CallOptions,
): Promise<HypervisorBuild> {
  const answer = await askVersion(binary, options);
  const match = /^QEMU emulator version ((\d{1,4})\.(\d{1,4})\.(\d{1,4})[^\r\n]{0,200})/u.exec(
    answer,
  );
  if (match === null) {
    const received = answer
      .slice(0, 200)
      .replaceAll(/\p{Cc}/gu, " ")
      .trim();
    throw new VirgaError(
      "HYPERVISOR_PROTOCOL",
      `Cannot tell the version of ${binary}: expected "QEMU emulator version …", got ${JSON.stringify(received)}`,
      { details: { binary, received } },
    );
  }
  const numbers = [Number(match[2]), Number(match[3]), Number(match[4])] as const;
  const version = (match[1] ?? "").trim();
  if (!isAtLeast(numbers, FLOOR)) {
    throw new VirgaError(
      "HYPERVISOR_TOO_OLD",
      `QEMU ${version} (${binary}) is too old: ${FLOOR.join(".")} or newer is needed`,
      { details: { binary, version, floor: FLOOR.join(".") } },
    );
  }
  return { name: "qemu", binary, version, numbers, accelerator };
}

/** Whether version `numbers` is `floor` or newer. */
export function isAtLeast(
  numbers: HypervisorBuild["numbers"],
  floor: HypervisorBuild["numbers"],
): boolean {
  const [a, b, c] = floor;
  const [major, minor, patch] = numbers;
  if (major !== a) return major > a;
  if (minor !== b) return minor > b;
  return patch >= c;
}

function askVersion(binary: string, { timeoutMs, signal }: CallOptions): Promise<string> {
  const what = `asking ${binary} for its version`;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortedError(what, signal));
      return;
    }
    const limits = {
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: MAX_ANSWER_BYTES,
    } as const;
    const child = execFile(binary, ["--version"], limits, (error, stdout, stderr) => {
      signal?.removeEventListener("abort", kill);
      if (error === null) resolve(stdout);
      else reject(askError(error, stderr));
    });
    const kill = (): void => void child.kill("SIGKILL");
    signal?.addEventListener("abort", kill, { once: true });

    function askError(error: Error & { readonly killed?: boolean }, stderr: string): VirgaError {
      if (signal?.aborted === true) return abortedError(what, signal);
      const details = { binary, stderr: stderr.slice(0, 1000) };
      const errno = errnoOf(error);
      if (errno === "ENOENT" || errno === "EACCES" || errno === "ENOTDIR" || errno === "ENOEXEC") {
        return new VirgaError("HYPERVISOR_MISSING", `Cannot run QEMU at ${binary}: ${errno}`, {
          cause: error,
          details,
          hint: "Install qemu-system-x86, or name its binary by VIRGA_QEMU.",
        });
      }
      if (error.killed === true && errno !== "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
        return new VirgaError("TIMEOUT", `${binary} --version did not end within ${timeoutMs} ms`, {
          cause: error,
          details: { ...details, timeoutMs },
        });
      }
      return new VirgaError(
        "HYPERVISOR_PROTOCOL",
        `${binary} --version failed: ${errorText(error)}`,
        {
          cause: error,
          details,
        },
      );
    }
  });
}
