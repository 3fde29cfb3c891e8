import type { NetworkChoice } from "@virga/sandbox";
import type { HypervisorName } from "@virga/vm";

/** What sandbox to make. */
interface SandboxSettings {
  readonly image: string;
  readonly hypervisor: HypervisorName | "auto";
  readonly vcpus: number;
  readonly memoryMib: number;
  /** Size of the sandbox's disk; undefined for the default. */
  readonly diskMib: number | undefined;
  readonly network: NetworkChoice;
  readonly cold: boolean;
  readonly verbose: boolean;
}

/** What command to run in a sandbox, and how it is joined to us. */
export interface CommandSettings {
  /** Empty for the image's own. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string | undefined;
  /** Who the command runs as; undefined for the image's user. */
  readonly user: string | undefined;
  /** Time limit of the command. */
  readonly timeoutMs: number | undefined;
  /** Pass standard input on even when it is a terminal. */
  readonly interactive: boolean;
  /** Give the command a terminal. */
  readonly terminal: boolean;
}

/** What `virga run` was asked to do, checked. */
export interface RunSettings extends SandboxSettings, CommandSettings {
  readonly copies: readonly { readonly source: string; readonly destination: string }[];
  /** Where timings go: a file, or "" for standard error; undefined for nowhere. */
  readonly timings: string | undefined;
}
