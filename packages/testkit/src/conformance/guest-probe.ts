import type { Vm } from "@virga/vm";

/** What the conformance suite asks a guest, whatever runs in it. Each call opens a connection of its own and closes it. */
export interface GuestProbe {
  /** Resolves once the guest answers. */
  ping(vm: Vm): Promise<void>;
  /** A number in the guest's memory that goes up, never down. */
  counter(vm: Vm): Promise<number>;
  /** Fills a piece of the guest's memory by `seed`, and gives a digest of it. */
  remember(vm: Vm, seed: number): Promise<string>;
  /** The digest of what the guest's memory holds now. */
  recall(vm: Vm): Promise<string>;
  /** Random bytes of the guest's, in hexadecimal. */
  random(vm: Vm): Promise<string>;
  /** Writes to the start of the root disk. */
  writeDisk(vm: Vm, text: string): Promise<void>;
  /** What {@link writeDisk} wrote there last; empty at first. */
  readDisk(vm: Vm): Promise<string>;
  /** Makes the guest end its machine. */
  end(vm: Vm, how: "poweroff" | "reboot" | "panic"): Promise<void>;
}
