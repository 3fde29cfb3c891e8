import { closeSync, openSync, readSync, writeSync, ftruncateSync } from "node:fs";
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { isForAgent, serveAgent } from "./fake-agent.ts";
import type { AgentContent } from "./fake-agent.ts";

/** What the fake guest holds in its memory, and so what snapshots must carry. */
interface GuestContent {
  counter: number;
  notes: Record<string, string>;
  agent: AgentContent;
}

/** How the fake guest ends its VM. */
export type GuestEnd = "poweroff" | "reboot" | "panic";

const MAGIC = "fake-guest-memory ";
const CONTENT_BYTES = 4096;
const LONGEST_LINE = 8192;

/**
 * The guest inside a fake hypervisor. It talks in lines over the guest channel:
 * `ping`, `counter` (adds one), `peek` (does not), `note K V`, `recall K`, `random`, `disk-write TEXT`, `disk-read`, `echo TEXT`, `poweroff`, `reboot`, `panic`.
 * It answers one line, `ok …` or `error …`, and only while the VM runs: requests of a paused VM wait. A connection that begins as the agent's protocol does is
 * served by a small agent.
 */
export class FakeGuest {
  running = false;
  readonly #disk: string | undefined;
  readonly #onEnd: (end: GuestEnd) => void;
  /** File the memory lives in, when it is a shared mapping. */
  readonly #memoryFile: string | undefined;
  #content = emptyContent();
  #waiting: (() => void)[] = [];
  #dead = false;

  constructor(options: {
    readonly disk: string | undefined;
    readonly memoryFile: string | undefined;
    readonly onEnd: (end: GuestEnd) => void;
  }) {
    this.#disk = options.disk;
    this.#memoryFile = options.memoryFile;
    this.#onEnd = options.onEnd;
  }

  /** Starts or goes on. */
  resume(): void {
    this.running = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  pause(): void {
    this.running = false;
  }

  /** A guest that rebooted has forgotten everything. */
  forget(): void {
    this.#content = emptyContent();
    this.#store();
  }

  /** The memory's first bytes: everything that is not zero. */
  dump(): Buffer {
    const bytes = Buffer.alloc(CONTENT_BYTES);
    bytes.write(`${MAGIC}${JSON.stringify(this.#content)}\n`);
    return bytes;
  }

  /** Takes over a memory that `dump` wrote; false when it is none. */
  load(bytes: Buffer): boolean {
    const text = bytes.toString("utf8", 0, CONTENT_BYTES);
    const end = text.indexOf("\n");
    if (!text.startsWith(MAGIC) || end < 0) return false;
    this.#content = JSON.parse(text.slice(MAGIC.length, end)) as GuestContent;
    return true;
  }

  /** Serves one connection of the guest channel. */
  serve(stream: Duplex, pending: Buffer = Buffer.alloc(0)): void {
    stream.on("error", () => stream.destroy());
    const begin = (bytes: Buffer): void => {
      if (isForAgent(bytes)) this.#serveAgent(stream, bytes);
      else this.#serveLines(stream, bytes);
    };
    if (pending.length > 0) begin(pending);
    else stream.once("data", begin);
  }

  #serveAgent(stream: Duplex, pending: Buffer): void {
    const content = (): AgentContent => this.#content.agent;
    const around = {
      untilRunning: () => this.#untilRunning(),
      get content() {
        return content();
      },
      store: () => this.#store(),
      run: (line: string) => this.#answer(line),
    };
    serveAgent(stream, around, pending);
  }

  #serveLines(stream: Duplex, pending: Buffer): void {
    let text = pending.toString("utf8");
    let last: Promise<void> = Promise.resolve();
    const take = (): void => {
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        last = last.then(async () => {
          await this.#untilRunning();
          if (!stream.destroyed) stream.write(`${this.#answer(line)}\n`);
        });
      }
      if (text.length > LONGEST_LINE) stream.destroy();
    };
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      take();
    });
    take();
  }

  async #untilRunning(): Promise<void> {
    while (!this.running || this.#dead) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #answer(line: string): string {
    const [word = "", ...rest] = line.split(" ");
    const argument = rest.join(" ");
    switch (word) {
      case "ping":
        return "ok pong";
      case "counter":
        this.#content.counter++;
        this.#store();
        return `ok ${this.#content.counter}`;
      case "peek":
        return `ok ${this.#content.counter}`;
      case "note":
        this.#content.notes[rest[0] ?? ""] = rest.slice(1).join(" ");
        this.#store();
        return "ok";
      case "recall":
        return `ok ${this.#content.notes[argument] ?? ""}`;
      case "random":
        return `ok ${randomBytes(16).toString("hex")}`;
      case "disk-write":
      case "disk-read":
        return this.#onDisk(word, argument);
      case "echo":
        return `ok ${argument}`;
      case "poweroff":
      case "reboot":
      case "panic":
        this.#dead = word === "panic";
        setImmediate(() => this.#onEnd(word));
        return "ok";
      default:
        return `error unknown request ${word}`;
    }
  }

  #onDisk(word: "disk-write" | "disk-read", argument: string): string {
    if (this.#disk === undefined) return "error no disk";
    const bytes = Buffer.alloc(512);
    try {
      const file = openSync(this.#disk, word === "disk-read" ? "r" : "r+");
      try {
        if (word === "disk-write") {
          bytes.write(`${argument}\n`);
          writeSync(file, bytes, 0, bytes.length, 0);
          return "ok";
        }
        readSync(file, bytes, 0, bytes.length, 0);
        return `ok ${bytes.toString("utf8").split(/[\n\0]/, 1)[0]}`;
      } finally {
        closeSync(file);
      }
    } catch (error) {
      return `error ${String(error)}`;
    }
  }

  #store(): void {
    if (this.#memoryFile !== undefined) writeMemory(this.#memoryFile, this.dump(), undefined);
  }
}

function emptyContent(): GuestContent {
  return { counter: 0, notes: {}, agent: { prepared: false, initialised: false } };
}

/** Writes a memory's content at the start of `path`; `bytes` sets the file's size, the rest is a hole. */
export function writeMemory(path: string, content: Buffer, bytes: number | undefined): void {
  const file = openSync(path, bytes === undefined ? "r+" : "wx", 0o600);
  try {
    if (bytes !== undefined) ftruncateSync(file, bytes);
    writeSync(file, content, 0, content.length, 0);
  } finally {
    closeSync(file);
  }
}

/** Reads what {@link writeMemory} wrote. */
export function readMemory(path: string): Buffer {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(CONTENT_BYTES);
    readSync(file, bytes, 0, bytes.length, 0);
    return bytes;
  } finally {
    closeSync(file);
  }
}
