import type { Host, SandboxOptions } from "@virga/sandbox";
import { patientMs } from "@virga/testkit";
import type { Access } from "../../src/life/access.ts";
import { fakeHost } from "../fake-host.ts";
import { testHost } from "../test-host.ts";
import type { HammerRun } from "./hammer-run.ts";

/** How to talk to the guests of a hammer. */
export interface HammerGuests {
  /** What sandboxes to make. */
  readonly options: Pick<SandboxOptions, "memoryMib" | "vcpus" | "hypervisor">;
  /** The command that makes a guest remember a token. */
  readonly note: (token: string) => readonly string[];
  /** The one that makes it tell; nothing where it was told none. */
  readonly recall: readonly string[];
}

/** Opens the machine that a hammer works on, with nothing in memory of what was done before. */
export async function hammerHost({ host }: Pick<HammerRun, "host">): Promise<Host & Access> {
  return "fake" in host
    ? fakeHost(host.fake)
    : testHost(host.place, { guestTimeoutMs: patientMs(240_000) });
}

/** The guests of that machine. */
export function hammerGuests({ host }: Pick<HammerRun, "host">): HammerGuests {
  if ("fake" in host) {
    return {
      options: { memoryMib: 96, vcpus: 1 },
      note: (token) => ["note", "token", token],
      recall: ["recall", "token"],
    };
  }
  return {
    options: { memoryMib: 128, vcpus: 1, hypervisor: "qemu" },
    note: (token) => ["sh", "-c", `echo ${token} > /tmp/token`],
    recall: ["sh", "-c", "cat /tmp/token 2> /dev/null || echo"],
  };
}
