import type { Logger } from "@virga/vm";
import type { Home } from "../home.ts";
import type { GivenFiles, SetupMachine } from "./setup-context.ts";

/** Sets of system programs: a hypervisor, what unpacks kernels, what builds native programs, what images and their disks are made with, what makes the image `debian`, what pulls images, what gives sandboxes a network, what tests use, what long tests use beside that. */
export type ToolSet =
  | "qemu"
  | "kernel"
  | "native"
  | "images"
  | "debian"
  | "pull"
  | "network"
  | "dev"
  | "fuzz";

/** Progress of set-up. */
export interface SetupEvent {
  /** `plan` comes first and says what is missing; `wait` that another process is setting up. */
  readonly phase: "plan" | "wait" | "start" | "progress" | "done";
  /** `packages`, `kernel`, `busybox`, `native`, `initramfs`, or `setup` for all of it. */
  readonly step: string;
  readonly message: string;
}

/** How to set up. */
export interface SetupOptions {
  /** Which system programs must be there beside those that set-up itself uses. Default: `qemu`. */
  readonly tools?: readonly ToolSet[];
  /** Default: where the environment and the user put it. */
  readonly home?: Home;
  readonly given?: GivenFiles;
  /** `never`: whatever is missing is an error. Default: what `VIRGA_SETUP` says, else `auto`. */
  readonly mode?: "auto" | "never";
  /** Asked before packages are installed; default: yes. */
  readonly confirm?: (packages: readonly string[]) => Promise<boolean>;
  readonly onEvent?: (event: SetupEvent) => void;
  readonly logger?: Logger;
  readonly signal?: AbortSignal | undefined;
  /** For tests: another machine than this one. */
  readonly machine?: SetupMachine;
}
