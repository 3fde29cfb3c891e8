import type { NetworkChoice } from "@virga/sandbox";
import type { HypervisorName } from "@virga/vm";

/** What `virga run` was asked to do, checked. */
export interface RunSettings {
  /** Empty for the image's own. */
  readonly command: readonly string[];
  readonly image: string;
  readonly hypervisor: HypervisorName | "auto";
  readonly vcpus: number;
  readonly memoryMib: number;
  /** Size of the sandbox's disk; undefined for the default. */
  readonly diskMib: number | undefined;
  readonly network: NetworkChoice;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string | undefined;
  /** Who the command runs as; undefined for the image's user. */
  readonly user: string | undefined;
  /** Time limit of the command. */
  readonly timeoutMs: number | undefined;
  readonly copies: readonly { readonly source: string; readonly destination: string }[];
  /** Pass standard input on even when it is a terminal. */
  readonly interactive: boolean;
  /** Give the command a terminal. */
  readonly terminal: boolean;
  readonly cold: boolean;
  /** Where timings go: a file, or "" for standard error; undefined for nowhere. */
  readonly timings: string | undefined;
  readonly verbose: boolean;
}
