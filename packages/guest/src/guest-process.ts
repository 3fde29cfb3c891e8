import type { Readable, Writable } from "node:stream";

/** The process ended by itself. */
export interface GuestExitCode {
  /** Exit code, 0 … 255. */
  readonly code: number;
  readonly signal?: undefined;
  /** Whether the time limit of the exec ended it. */
  readonly timedOut: boolean;
}

/** A signal ended the process. */
export interface GuestExitSignal {
  readonly code?: undefined;
  /** Number of the Linux signal. */
  readonly signal: number;
  /** Whether the guest's kernel wrote a core dump. */
  readonly coreDumped: boolean;
  /** Whether the time limit of the exec ended it. */
  readonly timedOut: boolean;
}

/** How a guest process ended. */
export type GuestExit = GuestExitCode | GuestExitSignal;

/** Size of a terminal, in characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly cols: number;
}

/**
 * A process in the guest. Its streams have true back-pressure: a reader that stops holds the process up. Standard output and error
 * share one window, so one that is not wanted needs `resume()` or `destroy()`, as with a child process of Node's.
 *
 * When the connection is lost or the call aborted, `exited` rejects and the streams are destroyed with the same error, at once.
 */
export interface GuestProcess extends AsyncDisposable {
  /** Process id in the guest. */
  readonly pid: number;
  /** Where the output that comes here begins, in bytes since the start of the process: 0 but for an attached one. */
  readonly outputFrom: { readonly stdout: number; readonly stderr: number };
  /** Standard input; `end()` closes it. What the process does not read is dropped when it has ended. */
  readonly stdin: Writable;
  /** Standard output, or all output of a terminal. */
  readonly stdout: Readable;
  /** Standard error; empty for a terminal. */
  readonly stderr: Readable;
  /**
   * How the process ended, as soon as it has; its last output may still be on the way.
   * Rejects with a GuestError (`GUEST_CONNECTION_LOST`, `GUEST_PROTOCOL`, `GUEST_TAKEN_OVER`, `ABORTED`), whose `details.outcome` is `"unknown"`.
   */
  readonly exited: Promise<GuestExit>;
  /**
   * Sends a signal, by default SIGTERM to the whole process group. Nothing happens when the process has ended.
   * Resolves when the request left this process; the guest does not confirm it.
   */
  kill(signal?: string | number, options?: { readonly group?: boolean }): Promise<void>;
  /** Sets the size of the terminal. Nothing happens without one. */
  resize(size: TerminalSize): Promise<void>;
  /**
   * Gives the process up: closes the connection, upon which the agent kills the process and all its descendants (unless it was started
   * with `detach`: then it goes on, with its standard input open). Resolves when the connection is closed. Nothing happens when the process and its output have ended.
   */
  close(): Promise<void>;
}
