import type { Readable, Writable } from "node:stream";
import type { GuestExit, GuestProcess } from "@virga/guest";
import { CommandError } from "./command-error.ts";
import { feedInput } from "./feed-input.ts";
import { lateReadable, lateWritable } from "./late-streams.ts";
import { jsonValues } from "./json-values.ts";
import { outputLines } from "./output-lines.ts";
import { OutputReaders } from "./output-readers.ts";
import type { Output } from "./output-readers.ts";
import { readOutput, readTail } from "./read-output.ts";
import type { ProcessEnd, RunResult, SpawnOptions } from "./run-options.ts";

const DEFAULT_MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** What is kept of standard error for the error of a command whose lines are read. */
const ERROR_TAIL_BYTES = 65_536;
/** What a {@link SandboxProcess} is made of. */
export interface ProcessParts {
  readonly command: readonly string[];
  /** The process, as soon as it runs; rejects with an error for the user. */
  readonly started: Promise<GuestProcess>;
  readonly options: Pick<SpawnOptions, "maxOutputBytes" | "reject" | "stdin">;
  /** Makes of what went wrong with the connection what went wrong with the sandbox. */
  readonly explain: (error: unknown) => Promise<unknown>;
}

/**
 * A process in a sandbox. It can be awaited, which collects what it writes and gives the result of `run`; or its lines, or its streams, are read while it runs.
 * Each of its outputs has one reader: the one that comes first.
 *
 * The process keeps a connection to the sandbox until it has ended and its output is read: like a child process of Node's it is held up by output that
 * nobody reads.
 *
 * ```ts
 * import { Sandbox } from "virga";
 *
 * await using sandbox = await Sandbox.create();
 *
 * const { stdout } = await sandbox.spawn(["uname", "-s"]);
 * console.log(stdout);
 *
 * for await (const line of sandbox.spawn(["seq", "3"])) console.log(line);
 *
 * await using cat = sandbox.spawn(["cat"], { stdin: true });
 * cat.stdin.end("typed\n");
 * cat.stdout.pipe(process.stdout);
 * console.log((await cat.wait()).exitCode);
 * ```
 */
export class SandboxProcess
  implements PromiseLike<RunResult>, AsyncIterable<string>, AsyncDisposable
{
  readonly command: readonly string[];
  /** Resolves when it runs, with its pid and the streams of `@virga/guest`; rejects when it cannot be started. */
  readonly started: Promise<GuestProcess>;
  readonly #options: ProcessParts["options"];
  readonly #explain: (error: unknown) => Promise<Error>;
  readonly #exit: Promise<GuestExit>;
  readonly #streams: { stdin?: Writable; stdout?: Readable; stderr?: Readable } = {};
  readonly #readers: OutputReaders;
  #inputError: unknown;
  #complaint: Promise<string> = Promise.resolve("");
  #result: Promise<RunResult> | undefined;

  constructor({ command, started, options, explain }: ProcessParts) {
    this.command = command;
    this.started = started;
    this.#readers = new OutputReaders(command[0] ?? "");
    this.#options = options;
    // A source of input that failed is why the process was given up.
    this.#explain = async (error) => asError(this.#inputError ?? (await explain(error)));
    this.#exit = this.#feedAndWait();
    // Whoever does not ask must not be told by a crash.
    this.started.catch(() => undefined);
    this.#exit.catch(() => undefined);
  }

  /** Standard input, where it was started with `stdin: true` or a terminal. */
  get stdin(): Writable {
    return (this.#streams.stdin ??= lateWritable(this.started.then(({ stdin }) => stdin)));
  }

  /** Standard output, or all output of a terminal. */
  get stdout(): Readable {
    return this.#stream("stdout");
  }

  /** Standard error; empty for a terminal. */
  get stderr(): Readable {
    return this.#stream("stderr");
  }

  /**
   * The lines of standard output, as they are written. After the last one a command that failed is a `CommandError`, with the end of standard error unless
   * that is read by somebody else. Who leaves early ends the process.
   */
  lines(): AsyncGenerator<string> {
    this.#readers.claim("stdout", "lines()");
    if (!this.#readers.has("stderr")) {
      this.#readers.claim("stderr", "lines()");
      this.#complaint = this.started.then(({ stderr }) => readTail(stderr, ERROR_TAIL_BYTES));
      this.#complaint.catch(() => undefined);
    }
    return this.#lines();
  }

  /** The JSON values of standard output, one on each line; empty lines are none. A line that is not JSON is `OUTPUT_INVALID` and ends the process. */
  json<Value = unknown>(): AsyncGenerator<Value> {
    return jsonValues<Value>(this.command, this.lines());
  }

  [Symbol.asyncIterator](): AsyncGenerator<string> {
    return this.lines();
  }

  /** Waits for its end, which the exit code tells: no command fails here. Reads nothing of what it writes. */
  async wait(): Promise<ProcessEnd> {
    return endOf(await this.#exit);
  }

  // To be awaited is what it is for, as a child process of execa's is.
  // oxlint-disable-next-line unicorn/no-thenable
  then<Fulfilled = RunResult, Rejected = never>(
    onFulfilled?: ((result: RunResult) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.#result ??= this.#collect();
    return this.#result.then(onFulfilled, onRejected);
  }

  /** Sends a signal once it runs, by default SIGTERM to its whole process group. Nothing happens when it has ended. */
  async kill(
    signal: string | number = "SIGTERM",
    options: { readonly group?: boolean } = {},
  ): Promise<void> {
    await (await this.started).kill(signal, options);
  }

  /** Gives the process up: it is killed with all its descendants, unless it was started with `detach`. Nothing happens when it has ended. */
  async close(): Promise<void> {
    const guest = await this.started.catch(() => undefined);
    await guest?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #feedAndWait(): Promise<GuestExit> {
    const guest = await this.started;
    const feeding = feedInput(guest, this.#options.stdin);
    feeding.catch((error: unknown) => {
      this.#inputError = error;
    });
    try {
      return await Promise.race([guest.exited, feeding.then(() => guest.exited)]);
    } catch (error) {
      // After a failure of its input it may wait for more of that.
      await guest.close();
      throw await this.#explain(error);
    }
  }

  async #collect(): Promise<RunResult> {
    const { maxOutputBytes = DEFAULT_MAX_OUTPUT_BYTES } = this.#options;
    const mine = (["stdout", "stderr"] as const).filter((name) => !this.#readers.has(name));
    for (const name of mine) this.#readers.claim(name, "the result");
    const guest = await this.started;
    const read = async (name: Output, what: string): Promise<string> =>
      mine.includes(name) ? readOutput(guest[name], what, maxOutputBytes) : "";
    try {
      const [stdout, stderr, complaint, exit] = await Promise.all([
        read("stdout", "standard output"),
        read("stderr", "standard error"),
        this.#complaint,
        this.#exit,
      ]);
      return this.#checked({ stdout, stderr: stderr || complaint, ...endOf(exit) });
    } catch (error) {
      if (error instanceof CommandError) throw error;
      // Ends what still runs.
      await guest.close();
      throw await this.#explain(error);
    }
  }

  async *#lines(): AsyncGenerator<string> {
    const { maxOutputBytes = DEFAULT_MAX_OUTPUT_BYTES } = this.#options;
    const guest = await this.started;
    let isWhole = false;
    try {
      yield* outputLines(guest.stdout, maxOutputBytes);
      isWhole = true;
    } catch (error) {
      throw await this.#explain(error);
    } finally {
      if (!isWhole) await guest.close();
    }
    const [exit, stderr] = await Promise.all([this.#exit, this.#complaint]);
    this.#checked({ stdout: "", stderr, ...endOf(exit) });
  }

  #checked(result: RunResult): RunResult {
    const failed = result.exitCode !== 0 || result.timedOut;
    if (failed && this.#options.reject !== false) throw new CommandError(this.command, result);
    return result;
  }

  #stream(name: Output): Readable {
    const known = this.#streams[name];
    if (known !== undefined) return known;
    this.#readers.claim(name, `the stream ${name}`);
    const source = this.started.then((guest) => guest[name]);
    return (this.#streams[name] = lateReadable(source, this.#explain));
  }
}

function endOf({ code, signal, timedOut }: GuestExit): ProcessEnd {
  return signal === undefined
    ? { exitCode: code, signal, timedOut }
    : { exitCode: 128 + signal, signal, timedOut };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
