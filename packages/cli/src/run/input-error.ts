import { VirgaError, errorText } from "@virga/vm";

/** The error of a standard input that cannot be read. */
export function inputError(cause: unknown): VirgaError {
  return new VirgaError("IO_ERROR", `Cannot read standard input: ${errorText(cause)}`, { cause });
}
