import { VirgaError } from "../../errors.ts";

const MAX_CHAIN_ENTRIES = 32;
const MAX_ENTRY_CHARACTERS = 2048;

/** An answer of Cloud Hypervisor that is not a success. */
export interface ApiFailure {
  readonly call: string;
  readonly status: number;
  readonly body: string;
}

/**
 * The causes in an error answer, outermost first. Cloud Hypervisor sends a JSON array of strings; its HTTP server's own refusals are objects, some of
 * them with raw newlines inside a string, so that they are no JSON: such a body is one cause, as text.
 */
export function parseChain(body: string): string[] {
  const text = body.trim();
  if (text === "") return [];
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((entry) => typeof entry === "string")) {
      return value
        .slice(0, MAX_CHAIN_ENTRIES)
        .map((entry: string) => entry.slice(0, MAX_ENTRY_CHARACTERS));
    }
  } catch {
    // Kept as text below.
  }
  return [text.slice(0, MAX_ENTRY_CHARACTERS)];
}

/** The error for a refused call. `details` hold `call`, `status` and `chain`. */
export function apiError(failure: ApiFailure): VirgaError {
  const { call, status } = failure;
  const chain = parseChain(failure.body);
  // The outermost entry says only that it came from the API.
  const told = chain[0] === "Error from API" ? chain.slice(1) : chain;
  const why = told.length > 0 ? told.join(": ") : `HTTP status ${status}`;
  return new VirgaError("HYPERVISOR_ERROR", `Cloud Hypervisor refused ${call}: ${why}`, {
    details: { call, status, chain },
  });
}

/** Whether an error is a refusal whose causes contain this text. Wording changes between releases, so pieces are matched, never the whole. */
export function chainIncludes(error: unknown, text: string): boolean {
  if (!(error instanceof VirgaError)) return false;
  const chain = error.details["chain"];
  return (
    Array.isArray(chain) &&
    chain.some(
      (entry) => typeof entry === "string" && entry.toLowerCase().includes(text.toLowerCase()),
    )
  );
}
