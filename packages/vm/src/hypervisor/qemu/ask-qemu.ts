import { execFile } from "node:child_process";
import { VirgaError, abortedError, errnoOf, errorText } from "../../errors.ts";
import type { CallOptions } from "../port.ts";

const MAX_ANSWER_BYTES = 64 * 1024;
/** Characters of an answer, in the error. */
const MAX_QUOTED = 200;

/**
 * Starts `binary` with options that make it print something and end, and gives what it printed. `HYPERVISOR_MISSING` when it cannot be run,
 * `HYPERVISOR_PROTOCOL` when it fails or does not stop printing, `TIMEOUT` and `ABORTED` as asked; it is gone in any case.
 */
export function askQemu(
  binary: string,
  args: readonly string[],
  { timeoutMs, signal }: CallOptions,
): Promise<string> {
  const asked = `${binary} ${args.join(" ")}`;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortedError(`running ${asked}`, signal));
      return;
    }
    const limits = {
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: MAX_ANSWER_BYTES,
    } as const;
    const child = execFile(binary, args, limits, (error, stdout, stderr) => {
      signal?.removeEventListener("abort", kill);
      if (error === null) resolve(stdout);
      else reject(askError(error, stderr));
    });
    const kill = (): void => void child.kill("SIGKILL");
    signal?.addEventListener("abort", kill, { once: true });

    function askError(error: Error & { readonly killed?: boolean }, stderr: string): VirgaError {
      if (signal?.aborted === true) return abortedError(`running ${asked}`, signal);
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
        return new VirgaError("TIMEOUT", `${asked} did not end within ${timeoutMs} ms`, {
          cause: error,
          details: { ...details, timeoutMs },
        });
      }
      return new VirgaError("HYPERVISOR_PROTOCOL", `${asked} failed: ${errorText(error)}`, {
        cause: error,
        details,
      });
    }
  });
}

/** The error for an answer of QEMU's that is none to what was asked. */
export function strangeAnswer(
  binary: string,
  what: { readonly doing: string; readonly expected: string },
  answer: string,
): VirgaError {
  const received = answer
    .slice(0, MAX_QUOTED)
    .replaceAll(/\p{Cc}/gu, " ")
    .trim();
  return new VirgaError(
    "HYPERVISOR_PROTOCOL",
    `Cannot tell ${what.doing}: expected ${what.expected}, got ${JSON.stringify(received)}`,
    { details: { binary, received } },
  );
}
