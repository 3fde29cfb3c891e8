import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The hypervisors there are fakes of. */
export type FakeName = "cloud-hypervisor" | "qemu";

/**
 * What a fake does to one control call instead of, or besides, answering it.
 * - `refuse`: answers with an error whose chain of causes is `chain`, outermost first.
 * - `hang`: never answers, and nothing else is answered meanwhile.
 * - `slow`: answers after `delayMs`.
 * - `die`: ends the process by `signal`, or with exit code `code`; `after`: when the call had its effect, before the answer.
 * - `garbage`: answers bytes that are no answer.
 * - `flood`: answers with a body of `bytes`.
 * - `cut`: closes the connection in the middle of the answer, the call having had its effect.
 */
export type CallRule = { readonly times?: number } & (
  | { readonly do: "refuse"; readonly chain: readonly string[]; readonly status?: number }
  | { readonly do: "hang" }
  | { readonly do: "slow"; readonly delayMs: number }
  | {
      readonly do: "die";
      readonly signal?: NodeJS.Signals;
      readonly code?: number;
      readonly after?: boolean;
    }
  | { readonly do: "garbage" }
  | { readonly do: "flood"; readonly bytes: number }
  | { readonly do: "cut" }
);

/** Calls by the name both fakes share. A rule may also use the hypervisor's own name (`vm.boot`, `query-status`), or `*` for all. */
export type FakeCall =
  | "ping"
  | "info"
  | "create"
  | "boot"
  | "pause"
  | "resume"
  | "balloon"
  | "snapshot"
  | "restore"
  | "quit";

/** How a fake hypervisor behaves. Read again at each call, so that a running one can be changed. */
export interface Behaviour {
  /** What `--version` prints after the name. Default: the oldest version that is supported. */
  readonly version?: string;
  /** Whether a fake QEMU has `rom=off`: says so when asked, and refuses it otherwise. Default: no, as the oldest that is supported. */
  readonly romOff?: boolean;
  /** `--version` fails: prints nonsense, ends with code 1, or never ends. */
  readonly versionFault?: "garbage" | "exit" | "hang";
  /** At start: ends with `code` after printing `message`, or lives on without ever opening a socket. */
  readonly start?:
    | { readonly do: "exit"; readonly code: number; readonly message: string }
    | { readonly do: "no-socket" };
  readonly ignoreSigterm?: boolean;
  /** Bytes of log written before anything else. */
  readonly logFloodBytes?: number;
  /** By call. `times` bounds how often a rule applies in one process; then the call is healthy. */
  readonly calls?: { readonly [call: string]: CallRule };
  /** Nothing in the guest listens on its channel. */
  readonly deafGuest?: boolean;
}

/** Names inside a fake's directory. */
export const FAKE_FILES = {
  behaviour: "behaviour.json",
  calls: "calls.jsonl",
  version: "version.sh",
  options: "options.sh",
  questions: "questions.log",
} as const;

/** The behaviour the fake of `directory` has now. */
export function readBehaviour(directory: string): Behaviour {
  return JSON.parse(readFileSync(join(directory, FAKE_FILES.behaviour), "utf8")) as Behaviour;
}
