import { VirgaError, errnoOf, errorText } from "../../errors.ts";

const QUOTED_CHARACTERS = 200;

/** A monitor, and what is done with it now: `executing stop`. */
export interface QmpPlace {
  readonly path: string;
  readonly doing: string;
}

/** It took too long. */
export function timeoutError({ path, doing }: QmpPlace, timeoutMs: number): VirgaError {
  return new VirgaError(
    "TIMEOUT",
    `QEMU's monitor ${path} did not answer within ${timeoutMs} ms: ${doing}`,
    { details: { path, timeoutMs, doing } },
  );
}

/** Nobody listens, or nobody may connect. */
export function connectError(path: string, error: Error): VirgaError {
  const errno = errnoOf(error);
  const code = errno === "ENOENT" || errno === "ECONNREFUSED" ? "HYPERVISOR_EXITED" : "IO_ERROR";
  return new VirgaError(code, `Cannot connect to QEMU's monitor ${path}: ${error.message}`, {
    cause: error,
    details: { path, errno: errno ?? null },
  });
}

/** The connection broke. */
export function exitedError({ path, doing }: QmpPlace, cause: Error | undefined): VirgaError {
  const why = cause === undefined ? "" : `: ${errorText(cause)}`;
  return new VirgaError(
    "HYPERVISOR_EXITED",
    `QEMU closed its monitor ${path} while ${doing}${why}`,
    { cause, details: { path, doing } },
  );
}

/** QEMU answered with an error. */
export function commandError(command: string, error: Record<string, unknown>): VirgaError {
  const text = quote(typeof error["desc"] === "string" ? error["desc"] : JSON.stringify(error));
  return new VirgaError("HYPERVISOR_ERROR", `QEMU refused ${command}: ${text}`, {
    details: { command, class: error["class"] ?? null, chain: [text] },
  });
}

/** It said what nobody understands. */
export function protocolError(
  { path, doing }: QmpPlace,
  text: string,
  problem = "this is no answer of QMP",
): VirgaError {
  return new VirgaError(
    "HYPERVISOR_PROTOCOL",
    `Cannot understand QEMU's monitor ${path} while ${doing}: ${problem}: ${quote(text)}`,
    { details: { path, doing, received: quote(text) } },
  );
}

function quote(text: string): string {
  return text.slice(0, QUOTED_CHARACTERS).replaceAll(/\p{Cc}/gu, "\ufffd");
}
