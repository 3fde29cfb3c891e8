import { readFileSync } from "node:fs";

/** One entry of the golden vectors; which fields are there depends on `kind`. */
export interface Vector {
  readonly name: string;
  readonly kind: "handshake" | "frame" | "message";
  readonly hex: string;
  /** Why the bytes must be refused. */
  readonly bad?: string;
  readonly record?: "hello" | "welcome" | "confirm";
  readonly nonceH?: string;
  readonly nonceG?: string;
  readonly direction?: "host" | "agent";
  readonly sequence?: string;
  readonly type?: string;
  readonly payload?: string;
  readonly value?: unknown;
}

const file = new URL("../../../native/protocol/vectors.json", import.meta.url);

/** The golden vectors of one kind, which the agent's tests read too. */
export function vectors(kind: Vector["kind"]): Vector[] {
  const all = JSON.parse(readFileSync(file, "utf8")) as Vector[];
  const chosen = all.filter((vector) => vector.kind === kind);
  if (chosen.length === 0) throw new Error(`no golden vectors of kind ${kind}`);
  return chosen;
}

/** Bytes from hexadecimal digits, of which a vector that has none is at fault. */
export function bytesOf(hex: string | undefined): Buffer {
  if (hex === undefined) throw new Error("a vector without its bytes");
  return Buffer.from(hex, "hex");
}
