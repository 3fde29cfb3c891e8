import type { GuestProcess } from "@virga/guest";
import { pumpInput } from "./pump-input.ts";
import type { InputContent } from "./run-options.ts";

/** Feeds a guest process what its options give as input; true and false give none. Rejects as {@link pumpInput}. */
export async function feedInput(
  guest: GuestProcess,
  stdin: boolean | InputContent | undefined,
): Promise<void> {
  if (stdin === undefined || typeof stdin === "boolean") return;
  if (typeof stdin === "string" || stdin instanceof Uint8Array) guest.stdin.end(stdin);
  else await pumpInput(stdin, guest);
}
