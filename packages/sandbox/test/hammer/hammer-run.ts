import type { TestPlace } from "@virga/testkit";
import type { FakeHostOptions } from "../fake-host.ts";

/** What one process of a hammer is to do; it gets it as JSON. */
export interface HammerRun {
  readonly seed: number;
  /** Which of the processes. */
  readonly index: number;
  /** Where it works: on a fake hypervisor, or with real guests on QEMU. */
  readonly host: { readonly fake: FakeHostOptions } | { readonly place: TestPlace };
  /** File in which it keeps what it knows, also beyond its own end. */
  readonly model: string;
  /** How many operations all its lives do together. */
  readonly operations: number;
  /** Wall clock, in milliseconds, after which it begins no more. */
  readonly until?: number;
  /** Which of its lives this is, where it may end itself by SIGKILL at a moment that is drawn by lot. */
  readonly dies?: number;
}
