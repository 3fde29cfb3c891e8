import assert from "node:assert/strict";
import { test } from "node:test";
import { VirgaError } from "@virga/vm";
import type { Vm, VmConfig } from "@virga/vm";
import { bootGuest } from "./boot-guest.ts";
import type { Host } from "../host.ts";
import { Timings } from "../timings.ts";

type Boot = "hung" | "dead";

interface FakeHost {
  readonly host: Host;
  /** What became of its VMs, in order. */
  readonly events: string[];
  readonly warnings: string[];
}

/** A host whose VMs boot as they are told, one after the other. */
function fakeHost(boots: readonly Boot[], destroy: () => Promise<void>): FakeHost {
  const events: string[] = [];
  const warnings: string[] = [];
  const create = async ({ sandboxId: id }: VmConfig): Promise<Vm> => {
    const boot = boots[events.filter((event) => event === "create").length];
    events.push("create");
    const fake = {
      id,
      state: boot === "dead" ? "failed" : "running",
      info: async () => ({ exit: { reason: "guest-panic" } }),
      connectGuest: () => new Promise(() => undefined),
      watchBoot: () => (boot === "hung" ? Promise.resolve("hung") : new Promise(() => undefined)),
      destroy: async () => {
        await destroy();
        events.push("destroy");
      },
    };
    return fake as unknown as Vm;
  };
  const silent = (): void => undefined;
  const warn = (_fields: unknown, message: string): void => void warnings.push(message);
  const logger = { debug: silent, info: silent, warn, error: silent };
  return { host: { logger, manager: { create } } as unknown as Host, events, warnings };
}

const boot = (host: Host): Promise<unknown> =>
  bootGuest(host, { sandboxId: "a" } as VmConfig, "tcg", new Timings(), undefined);
const gone = async (): Promise<void> => undefined;

test("a boot that hangs is given up, tried once more and then reported", async () => {
  const { host, events, warnings } = fakeHost(["hung", "hung", "hung"], gone);
  await assert.rejects(boot(host), { code: "TIMEOUT", message: /hangs in its boot/ });
  assert.deepEqual(events, ["create", "destroy", "create", "destroy"]);
  assert.deepEqual(warnings, ["the guest did not answer; booting it once more"]);
});

test("what becomes of the second attempt is what is told", async () => {
  const { host, events } = fakeHost(["hung", "dead"], gone);
  await assert.rejects(boot(host), { code: "HYPERVISOR_EXITED", message: /guest-panic/ });
  assert.deepEqual(events, ["create", "destroy", "create", "destroy"]);
});

test("a guest that died, or a VM that cannot be destroyed, is not tried again", async () => {
  const dead = fakeHost(["dead"], gone);
  await assert.rejects(boot(dead.host), { code: "HYPERVISOR_EXITED" });
  assert.deepEqual(dead.events, ["create", "destroy"]);
  const stuck = fakeHost(["hung"], () => Promise.reject(new VirgaError("DESTROY_FAILED", "no")));
  await assert.rejects(boot(stuck.host), { code: "TIMEOUT" });
  assert.deepEqual(stuck.events, ["create"]);
});
