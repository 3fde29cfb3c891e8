import { Answer } from "./answer.ts";
import { parseExit } from "./guest-exit.ts";
import type { Deadline } from "./deadline.ts";
import { GuestError } from "./errors.ts";
import { type ExecOptions, sizeFields } from "./exec-request.ts";
import { streamIds } from "./frame.ts";
import { GuestInput } from "./guest-input.ts";
import { GuestOutput } from "./guest-output.ts";
import type { GuestExit, GuestProcess, TerminalSize } from "./guest-process.ts";
import { linuxSignal } from "./linux-signals.ts";
import { encodeMessage } from "./message-encode.ts";
import type { MessageMap } from "./message.ts";
import type { OperationHandler, Session } from "./session.ts";

/** What {@link startProcess} needs. */
export interface StartProcess {
  readonly session: Session;
  /** The request's own name, for messages. */
  readonly op: "exec" | "attach";
  /** The encoded request. */
  readonly request: Uint8Array;
  readonly options: Pick<ExecOptions, "stdin" | "pty" | "signal">;
  /** Ends the wait for the start, not the process. */
  readonly deadline: Deadline;
  /** Called once when the session is of no more use to the process. */
  readonly release: () => void;
}

/**
 * Starts a process on an idle session, which it keeps until the process and its output have ended.
 * @throws GuestError the agent's refusal, or what ended the session.
 */
export function startProcess(start: StartProcess): Promise<GuestProcess> {
  const started = Promise.withResolvers<GuestProcess>();
  const operation = new ExecOperation(start, started);
  start.session.begin(start.op, start.request, operation);
  operation.watch();
  return started.promise;
}

class ExecOperation implements OperationHandler, GuestProcess {
  readonly stdin: GuestInput;
  readonly stdout: GuestOutput;
  readonly stderr: GuestOutput;
  readonly #session: Session;
  readonly #op: StartProcess["op"];
  readonly #options: StartProcess["options"];
  readonly #deadline: Deadline;
  readonly #release: () => void;
  readonly #started: PromiseWithResolvers<GuestProcess>;
  readonly #exit = Promise.withResolvers<GuestExit>();
  #state: "starting" | "running" | "over" = "starting";
  #pid = 0;
  #hasExited = false;
  #isTaken = false;
  #outputFrom = { stdout: 0, stderr: 0 };
  #refusal: GuestError | undefined;
  #openOutputs: Set<number>;
  #stopWatching = (): void => {};

  constructor(start: StartProcess, started: PromiseWithResolvers<GuestProcess>) {
    const { session, options } = start;
    this.#session = session;
    this.#op = start.op;
    this.#options = options;
    this.#deadline = start.deadline;
    this.#release = start.release;
    this.#started = started;
    const hasInput = options.stdin ?? options.pty !== undefined;
    this.stdin = new GuestInput(
      hasInput
        ? {
            sendData: (bytes) => session.sendData(streamIds.stdin, bytes),
            sendEnd: () => session.sendEof(streamIds.stdin),
          }
        : undefined,
    );
    this.stdout = new GuestOutput((cost) => session.consumed(cost));
    this.stderr = new GuestOutput((cost) => session.consumed(cost));
    // A terminal has one output; a stderr is then nothing to wait for.
    this.#openOutputs = new Set(
      options.pty === undefined ? [streamIds.stdout, streamIds.stderr] : [streamIds.stdout],
    );
    // Whoever does not ask how the process ended must not be told by a crash.
    this.#exit.promise.catch(() => {});
  }

  get pid(): number {
    return this.#pid;
  }

  get outputFrom(): { readonly stdout: number; readonly stderr: number } {
    return this.#outputFrom;
  }

  get exited(): Promise<GuestExit> {
    return this.#exit.promise;
  }

  /** Ends the session when the start takes too long. */
  watch(): void {
    if (this.#state !== "starting") return;
    this.#stopWatching = this.#deadline.onOver(
      () => void this.#session.close(this.#deadline.error("unknown")),
    );
  }

  async kill(
    signal: string | number = "SIGTERM",
    options: { group?: boolean } = {},
  ): Promise<void> {
    await this.#control({ control: "signal", signal: linuxSignal(signal), group: options.group });
  }

  async resize(size: TerminalSize): Promise<void> {
    await this.#control({ control: "resize", ...sizeFields(size) });
  }

  async close(): Promise<void> {
    if (this.#state === "over") return;
    await this.#session.close(
      new GuestError("ABORTED", "The process in the guest was given up: close() was called", {
        details: { op: this.#op, outcome: "unknown" },
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  onResponse(response: MessageMap): void {
    const answer = new Answer(this.#op, response);
    if (response.get("ok") !== true) {
      this.#refusal = answer.refusal();
      return;
    }
    this.#pid = answer.integer("pid", 1, 0x7fff_ffff);
    this.#state = "running";
    this.#stopWatching();
    this.#stopWatching = this.#watchSignal();
    if (this.#op === "attach") this.#readAttached(answer);
    if (this.#options.pty !== undefined) this.stderr.finish();
    this.#started.resolve(this);
  }

  #readAttached(answer: Answer): void {
    this.#outputFrom = { stdout: answer.integer("outFrom"), stderr: answer.integer("errFrom") };
    if (answer.boolean("pty")) {
      this.#openOutputs.delete(streamIds.stderr);
      this.stderr.finish();
    }
  }

  onData(stream: number, bytes: Buffer, cost: number): void {
    this.#output(stream).deliver(bytes, cost);
  }

  onEof(stream: number): void {
    this.#openOutputs.delete(stream);
    this.#output(stream).finish();
  }

  onEvent(event: MessageMap): void {
    if (event.get("event") === "taken") this.#isTaken = true;
    // Events of later versions are none of our business.
    if (event.get("event") !== "exit") return;
    if (this.#hasExited) throw protocolError("two exits of one process");
    this.#hasExited = true;
    this.#exit.resolve(parseExit(new Answer(this.#op, event)));
  }

  onEnd(): void {
    if (this.#refusal !== undefined) {
      this.#finish(this.#refusal);
      return;
    }
    if (this.#isTaken) {
      this.#finish(
        new GuestError(
          "GUEST_TAKEN_OVER",
          `Another connection took over the process ${this.#pid} in the guest`,
          { details: { op: this.#op, outcome: "unknown" } },
        ),
      );
      return;
    }
    if (!this.#hasExited || this.#openOutputs.size > 0) {
      // The session has let go of the operation already, so that its own error would not reach us.
      const error = protocolError("the end of an exec before its exit and the end of its output");
      this.#finish(error);
      throw error;
    }
    this.#finish(undefined);
  }

  onLost(error: GuestError): void {
    this.#finish(error);
  }

  #finish(error: GuestError | undefined): void {
    this.#state = "over";
    this.#stopWatching();
    if (error !== undefined) {
      this.#started.reject(error);
      this.#exit.reject(error);
      this.stdout.fail(error);
      this.stderr.fail(error);
    }
    // Without an error: what the process did not read is dropped, and a writer learns that there is no use in more.
    this.stdin.destroy(error);
    this.#release();
  }

  /** From the start on only the caller's signal ends the process, not the deadline of the start. */
  #watchSignal(): () => void {
    const { signal } = this.#options;
    if (signal === undefined) return () => {};
    const abort = (): void => {
      void this.#session.close(
        new GuestError("ABORTED", "Aborted: the process in the guest was given up", {
          cause: signal.reason,
          details: { op: this.#op, outcome: "unknown" },
        }),
      );
    };
    signal.addEventListener("abort", abort, { once: true });
    return () => signal.removeEventListener("abort", abort);
  }

  #output(stream: number): GuestOutput {
    return stream === streamIds.stdout ? this.stdout : this.stderr;
  }

  async #control(fields: Parameters<typeof encodeMessage>[0]): Promise<void> {
    if (this.#state === "running" && !this.#hasExited) {
      await this.#session.sendControl(encodeMessage(fields));
    }
  }
}

function protocolError(what: string): GuestError {
  return new GuestError("GUEST_PROTOCOL", `The guest agent sent ${what}`, {
    details: { op: "exec", outcome: "unknown" },
  });
}
