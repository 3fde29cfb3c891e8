import type { Duplex } from "node:stream";
import type { RestoreMode, VmConfig } from "@virga/vm";
import type { Blueprint } from "./blueprint.ts";

/** A VM driven by hand: what the few lines of script would do that one writes without Virga. */
export interface RawVm {
  /** Opens a stream to the guest, once there is somebody to connect to. */
  connect(): Promise<Duplex>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Writes device state and memory of the paused VM into a new directory, safely on disk. */
  snapshot(directory: string): Promise<void>;
  /** Ends it in order, and removes its directory. */
  destroy(): Promise<void>;
  /** Ends it at once. */
  kill(): Promise<void>;
}

/** A VM to start by hand, in a directory of its own that does not exist yet. */
interface RawStart {
  readonly directory: string;
  readonly blueprint: Blueprint;
}

/** Starts VMs by hand. */
export interface RawHypervisor {
  boot(start: RawStart & { readonly config: VmConfig }): Promise<RawVm>;
  /** Restores a snapshot that Virga made, and lets it run. */
  clone(
    start: RawStart & { readonly snapshot: string; readonly mode: RestoreMode },
  ): Promise<RawVm>;
}
