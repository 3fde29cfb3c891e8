import assert from "node:assert/strict";
import type { Vm } from "@virga/vm";
import type { GuestProbe } from "./guest-probe.ts";

/**
 * Resolves once the guest counts on from `counted`; fails when it has forgotten it. A real guest counts by its clock: just after a resume it may stand where
 * it stood.
 */
export async function countsOn(
  guest: Pick<GuestProbe, "counter">,
  vm: Vm,
  counted: number,
): Promise<void> {
  let now = await guest.counter(vm);
  assert.ok(now >= counted, "the guest has forgotten its count");
  while (now <= counted) now = await guest.counter(vm);
}
