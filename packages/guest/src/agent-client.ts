import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { AgentCalls, type CallOptions } from "./agent-calls.ts";
import { type ExecOptions, execRequest } from "./exec-request.ts";
import { GuestFiles } from "./files.ts";
import { type GuestPort, parsePort, tunnelFields } from "./guest-port.ts";
import type { GuestProcess } from "./guest-process.ts";
import { GuestTunnel } from "./guest-tunnel.ts";
import { linuxSignal } from "./linux-signals.ts";
import type { GuestLogger } from "./logger.ts";
import { encodeMessage } from "./message-encode.ts";
import type { MessageFields, MessageMap } from "./message.ts";
import type { Connect } from "./open-session.ts";
import {
  type GuestInit,
  type GuestPing,
  type GuestStats,
  initRequest,
  parsePing,
  parseStats,
} from "./operations.ts";
import {
  type GuestProcessInfo,
  parseProcesses,
  type ProcessTarget,
  targetFields,
} from "./process-list.ts";
import { readRecords } from "./record-reader.ts";

/** What an {@link AgentClient} is made from. */
export interface AgentClientOptions {
  /** Opens a byte stream to the agent. */
  readonly connect: Connect;
  readonly logger?: GuestLogger;
  /** Milliseconds a call may take that does not say otherwise. Default 30,000. */
  readonly timeoutMs?: number;
  /** How many idle connections are kept for the next call. Default 1. */
  readonly maxIdle?: number;
  /** Milliseconds an idle connection is kept. Default 5,000. */
  readonly idleTimeoutMs?: number;
}

/** How to take over a process. */
export interface AttachOptions {
  /** Whether what was kept of its last output comes first. Default true. */
  readonly replay?: boolean;
  /** Milliseconds until the agent must have answered. Default: that of the client. */
  readonly startTimeoutMs?: number;
  /** Gives the process up when aborted, as {@link GuestProcess.close}. */
  readonly signal?: AbortSignal;
}

/**
 * The agent of one guest. Each call uses a connection of its own, so calls do not wait for each other.
 *
 * All calls reject with a GuestError, or with what `connect` threw if that is an error of Virga's: `GUEST_TIMEOUT`, `ABORTED`,
 * `GUEST_CONNECTION_LOST` (`details.outcome` tells whether the request may have run), `GUEST_PROTOCOL`, and the agent's
 * refusals, `GUEST_FAILED` and others.
 */
export class AgentClient implements AsyncDisposable {
  /** The files of the guest. */
  readonly files: GuestFiles = new GuestFiles({
    call: (op, fields, options) => this.#calls.call(op, () => fields, options),
    stream: (op, fields, options, hasInput) => this.#calls.stream(op, fields, options, hasInput),
  });
  readonly #calls: AgentCalls;

  constructor(options: AgentClientOptions) {
    this.#calls = new AgentCalls({
      connect: options.connect,
      logger: options.logger,
      maxIdle: options.maxIdle ?? 1,
      idleTimeoutMs: options.idleTimeoutMs ?? 5_000,
      timeoutMs: options.timeoutMs ?? 30_000,
    });
  }

  /**
   * Starts a process. Resolves when it runs; the process keeps its connection until it and its output have ended.
   * @param argv program and arguments; a program without `/` is looked up in PATH.
   * @throws GuestError also `GUEST_NOT_FOUND` and `GUEST_NOT_EXECUTABLE` (`details.what`: `"program"`, `"cwd"` or `"user"`), `GUEST_BUSY`.
   */
  async exec(
    argv: readonly (string | Uint8Array)[],
    options: ExecOptions = {},
  ): Promise<GuestProcess> {
    return this.#calls.start("exec", execRequest(argv, options), options);
  }

  /**
   * Takes over a process that was started by `exec`, by this client or another: its output goes on here, after what was kept of its last
   * output (see `outputFrom` of the process), and so does its standard input. Who had it before gets `GUEST_TAKEN_OVER`.
   * One that has ended meanwhile still gives its last output and how it ended, once.
   * @throws GuestError also `GUEST_NOT_FOUND`, `GUEST_BUSY`.
   */
  async attach(target: ProcessTarget, options: AttachOptions = {}): Promise<GuestProcess> {
    const { replay } = options;
    const fields = { op: "attach", ...targetFields("attach", target), replay };
    return this.#calls.start("attach", fields, { stdin: true, ...options });
  }

  /** The processes that were started by `exec` and run, or have ended without anybody being told. */
  async processes(options: CallOptions = {}): Promise<GuestProcessInfo[]> {
    return parseProcesses(await this.#calls.call("execs", () => ({}), options));
  }

  /**
   * Sends a signal to a process that was started by `exec`, by default to its whole process group. Nothing happens when it has ended.
   * @throws GuestError also `GUEST_NOT_FOUND`.
   */
  async signal(
    target: ProcessTarget,
    signal: string | number,
    options: CallOptions & { readonly group?: boolean } = {},
  ): Promise<void> {
    const { group } = options;
    const fields = { ...targetFields("signal", target), signal: linuxSignal(signal), group };
    await this.#calls.call("signal", () => fields, options);
  }

  /** Asks whether the agent is there. */
  async ping(options: CallOptions = {}): Promise<GuestPing> {
    return parsePing(await this.#calls.call("ping", () => ({}), options));
  }

  /** Gives the guest entropy, time, names, environment and network, and thaws it. To be called after boot and after each restore. */
  async init(init: GuestInit = {}, options: CallOptions = {}): Promise<void> {
    const entropy = init.entropy ?? randomBytes(256);
    const fields = (): MessageFields => initRequest(init, entropy, BigInt(Date.now()) * 1_000_000n);
    // What cannot be sent is refused before a connection is opened.
    encodeMessage(fields());
    await this.#calls.call("init", fields, options);
  }

  /**
   * Freezes the user processes for a snapshot or a pause. Closes idle connections, so that none is caught in the snapshot.
   * @param options `freezeTimeoutMs`: how long they may take to stop, in milliseconds, default 5,000.
   * @throws GuestError also `GUEST_NOT_FROZEN`, with `details.pids`; then all of them run again.
   */
  async prepare(options: CallOptions & { readonly freezeTimeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = options.freezeTimeoutMs ?? 5_000;
    await this.#calls.call("prepare", () => ({ timeoutMs }), options, false);
    await this.reset();
  }

  /** Lets frozen user processes run again. Does nothing when they do. */
  async thaw(options: CallOptions = {}): Promise<void> {
    await this.#calls.call("thaw", () => ({}), options);
  }

  /** Measures the guest. */
  async stats(options: CallOptions = {}): Promise<GuestStats> {
    return parseStats(await this.#calls.call("stats", () => ({}), options));
  }

  /**
   * Connects to a TCP port in the guest, one that only listens on loopback included. The stream takes a connection to the agent until it is closed.
   * @param options `host`: an address to connect to from within the guest; default: its loopback, of IPv4 and then of IPv6.
   * @throws GuestError also `GUEST_REFUSED` when nothing listens there.
   */
  async tunnel(
    port: number,
    options: CallOptions & { readonly host?: string } = {},
  ): Promise<Duplex> {
    return new GuestTunnel(
      await this.#calls.stream("tunnel", tunnelFields(port, options.host), options, true),
    );
  }

  /** The TCP ports that something in the guest listens on. */
  async ports(options: CallOptions = {}): Promise<GuestPort[]> {
    await using stream = await this.#calls.stream("ports", {}, options, false);
    const ports: GuestPort[] = [];
    for await (const record of readRecords(stream.output)) ports.push(parsePort(record));
    return ports;
  }

  /** Writes what the guest has in memory to its disks. */
  async sync(options: CallOptions = {}): Promise<void> {
    await this.#calls.call("sync", () => ({}), options);
  }

  /** Begins an orderly shutdown. Resolves when the agent has agreed, not when the guest is off. */
  async shutdown(mode: "poweroff" | "reboot", options: CallOptions = {}): Promise<void> {
    await this.#calls.call("shutdown", () => ({ mode }), options, false);
    await this.reset();
  }

  /** Runs an operation by its name that answers once. Returns the answer as it came. */
  async request(
    op: string,
    fields: MessageFields = {},
    options: CallOptions = {},
  ): Promise<MessageMap> {
    return await this.#calls.call(op, () => fields, options);
  }

  /** Closes idle connections, and those in use when their call is over. To be called before a pause or a snapshot. */
  async reset(): Promise<void> {
    await this.#calls.reset();
  }

  /** Closes all connections, which ends what is under way. Resolves when they are closed. */
  async close(): Promise<void> {
    await this.#calls.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
