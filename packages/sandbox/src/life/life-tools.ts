import type { Logger, VmManager } from "@virga/vm";
import type { Catalog } from "../catalog/catalog.ts";
import type { Home } from "../home.ts";
import type { Timings } from "../timings.ts";

/** What it takes to use and recover sandboxes that are there. Makes no VM. */
export interface LifeTools {
  readonly home: Home;
  readonly logger: Logger;
  readonly catalog: Catalog;
  readonly manager: VmManager;
  /** Milliseconds a guest may take until it answers; undefined for what is usual. */
  readonly guestTimeoutMs: number | undefined;
}

/** Options of an operation on a sandbox. */
export interface LifeOptions {
  /** Counts until the operation is done, not after. */
  readonly signal?: AbortSignal | undefined;
  /** Where to note how long each step took. */
  readonly timings?: Timings;
}
