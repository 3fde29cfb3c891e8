import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Duplex } from "node:stream";
import { AgentClient, isGuestError } from "@virga/guest";
import type { GuestProcess } from "@virga/guest";
import { SoakPattern } from "./soak-pattern.ts";

/** What the rounds of one process came to. */
export interface SoakReport {
  rounds: number;
  /** Operations that ran to their end and were right to the last byte. */
  whole: number;
  /** Operations that were broken off. */
  aborted: number;
  /** Bytes of somebody else's, or in the wrong place: what must never be. */
  readonly mixes: string[];
  /** What else went wrong. */
  readonly failures: string[];
}

/** How a process reaches the guest. */
export type SoakConnect = (options: {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}) => Promise<Duplex>;

const DEADLINE_MS = 60_000;
const SIZES = [64, 1024, 40_000, 200_000, 700_000] as const;
const HELLO_BYTES = 40;

/** One process's share of a soak: operations and rude connections in random order, each checked byte by byte. */
export class SoakRounds {
  readonly report: SoakReport = { rounds: 0, whole: 0, aborted: 0, mixes: [], failures: [] };
  readonly #connect: SoakConnect;
  readonly #random: () => number;

  constructor(connect: SoakConnect, random: () => number) {
    this.#connect = connect;
    this.#random = random;
  }

  async run(rounds: number): Promise<SoakReport> {
    for (let round = 0; round < rounds; round++) {
      const kind = this.#pick(KINDS);
      try {
        await this[kind]();
      } catch (error) {
        this.report.failures.push(`round ${round} (${kind}): ${String(error)}`);
      }
      this.report.rounds++;
    }
    return this.report;
  }

  /** A client that leaves at some point of the handshake. */
  async rude(): Promise<void> {
    const stream = await this.#connect({ timeoutMs: DEADLINE_MS });
    stream.on("error", () => undefined);
    const hello = Buffer.alloc(HELLO_BYTES);
    hello.write("VIRGA/1H");
    hello.fill(this.#random() * 256, 8, 24);
    stream.write(hello.subarray(0, 1 + Math.floor(this.#random() * HELLO_BYTES)));
    await this.#pause();
    const closed = once(stream, "close");
    if (this.#random() < 0.5) stream.end();
    else stream.destroy();
    await closed;
    this.report.aborted++;
  }

  /** A call that is aborted at some moment, perhaps before it connects. */
  async aborted(): Promise<void> {
    const controller = new AbortController();
    await this.#withClient(async (client) => {
      const running = client
        .exec(["cat"], { stdin: true, signal: controller.signal })
        .then((process) => process.exited);
      const settled = running.then(
        () => undefined,
        (error: unknown) => error,
      );
      await this.#pause();
      controller.abort();
      const error = await settled;
      if (!isGuestError(error) || error.code !== "ABORTED") throw error;
      this.report.aborted++;
    });
  }

  /** Both directions at once. */
  async echo(): Promise<void> {
    await this.#withProcess(["cat"], async (process, pattern) => {
      const total = this.#pick(SIZES);
      await Promise.all([
        this.#send(process, pattern, total),
        this.#receive(process, pattern, total),
      ]);
    });
  }

  /** The guest speaks alone. */
  async fromGuest(): Promise<void> {
    const total = this.#pick(SIZES);
    const lines = Math.ceil(total / 32);
    const program = `BEGIN{for(i=0;i<${lines};i++)printf "%s:%08x\\n",ENVIRON["NONCE"],i}`;
    const script = `awk '${program}' | head -c ${total}`;
    await this.#withProcess(["sh", "-c", script], async (process, pattern) => {
      process.stdin.end();
      await this.#receive(process, pattern, total);
    });
  }

  /** The host speaks alone, and the guest counts. */
  async toGuest(): Promise<void> {
    await this.#withProcess(["wc", "-c"], async (process, pattern) => {
      const total = this.#pick(SIZES);
      await this.#send(process, pattern, total);
      let text = "";
      for await (const chunk of process.stdout) text += String(chunk);
      if (text.trim() !== String(total)) {
        this.report.mixes.push(`of ${total} bytes the guest got ${text.trim()}`);
      }
    });
  }

  async #withClient<T>(body: (client: AgentClient) => Promise<T>): Promise<T> {
    const client = new AgentClient({
      connect: this.#connect,
      timeoutMs: DEADLINE_MS,
      maxIdle: this.#random() < 0.5 ? 0 : 1,
    });
    try {
      return await body(client);
    } finally {
      await client.close();
    }
  }

  /** Runs a process to its end, or breaks it off after a random while. */
  async #withProcess(
    argv: readonly string[],
    body: (process: GuestProcess, pattern: SoakPattern) => Promise<void>,
  ): Promise<void> {
    const pattern = new SoakPattern();
    const breaksOff = this.#random() < 0.5;
    await this.#withClient(async (client) => {
      const process = await client.exec(argv, { stdin: true, env: { NONCE: pattern.nonce } });
      process.stderr.resume();
      const exited = process.exited.then(
        ({ code }) => code,
        () => undefined,
      );
      const working = body(process, pattern);
      if (breaksOff) {
        const settled = working.catch(() => undefined);
        await this.#pause();
        await process.close();
        await settled;
        await exited;
        this.report.aborted++;
        return;
      }
      await working;
      const code = await exited;
      if (code !== 0) throw new Error(`${argv[0]} ended with ${code}`);
      this.report.whole++;
    });
  }

  async #send(process: GuestProcess, pattern: SoakPattern, total: number): Promise<void> {
    await pipeline(Readable.from(pieces(pattern, total)), process.stdin);
  }

  async #receive(process: GuestProcess, pattern: SoakPattern, total: number): Promise<void> {
    let offset = 0;
    for await (const chunk of process.stdout) {
      const bytes = chunk as Buffer;
      if (!bytes.equals(pattern.at(offset, bytes.length))) {
        this.report.mixes.push(
          `at ${offset} of ${total}: ${bytes.toString("latin1").slice(0, 80)}`,
        );
      }
      offset += bytes.length;
    }
    if (offset !== total) this.report.mixes.push(`${offset} bytes came, ${total} were sent`);
  }

  async #pause(): Promise<void> {
    const ms = this.#random() * this.#random() * 60;
    // Often not at all: the moments right after a call are the interesting ones.
    if (ms < 3) return;
    await new Promise((resolve) => {
      setTimeout(resolve, ms);
    });
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }
}

const KINDS = ["rude", "aborted", "echo", "fromGuest", "toGuest"] as const;

function* pieces(pattern: SoakPattern, total: number): Generator<Buffer> {
  for (let offset = 0; offset < total; offset += 16_384) {
    yield pattern.at(offset, Math.min(16_384, total - offset));
  }
}
