import type { Host, SandboxOptions } from "@virga/sandbox";
import type { TestPlace } from "@virga/testkit";
import type { HypervisorName } from "@virga/vm";
import type { Access } from "../src/life/access.ts";
import { fakeHost } from "./fake-host.ts";
import type { FakeHostOptions } from "./fake-host.ts";

/** A host with real guests in a test's place; the image `small` is there. */
interface RealHostOptions {
  readonly place: TestPlace;
  readonly hypervisor: HypervisorName;
}

/** Where sandboxes live whose operations are cut off. Can be handed to another process. */
export type KillHostOptions = FakeHostOptions | RealHostOptions;

/** Opens it, as every command does it: with nothing in memory of those before it. */
export async function openKillHost(options: KillHostOptions): Promise<Host & Access> {
  if (!("place" in options)) return fakeHost(options);
  // A child on a fake, of which there are very many, loads no testkit.
  const { testHost } = await import("./test-host.ts");
  return testHost(options.place);
}

/** What a sandbox is made of there. */
export function killShape(options: KillHostOptions): SandboxOptions {
  const { hypervisor } = options;
  // Real ones from a template, as everybody makes them.
  return "place" in options
    ? { hypervisor, memoryMib: 128, image: "small", diskMib: 64 }
    : { cold: true, memoryMib: 96, vcpus: 1 };
}
