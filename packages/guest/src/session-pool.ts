import type { Deadline } from "./deadline.ts";
import { GuestError, type GuestOutcome } from "./errors.ts";
import type { GuestLogger } from "./logger.ts";
import { type Connect, openSession } from "./open-session.ts";
import type { Session } from "./session.ts";

/** What a {@link SessionPool} is made from. */
export interface SessionPoolOptions {
  readonly connect: Connect;
  readonly logger: GuestLogger | undefined;
  /** How many idle sessions are kept. */
  readonly maxIdle: number;
  /** How long an idle session is kept, in milliseconds. */
  readonly idleTimeoutMs: number;
}

interface Idle {
  readonly session: Session;
  readonly timer: NodeJS.Timeout;
}

/** Hands out sessions and keeps a few for reuse: never one that is not quite clean, nor one from before {@link reset}. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #idle: Idle[] = [];
  /** Sessions handed out, with the generation each belongs to. */
  readonly #busy = new Map<Session, number>();
  readonly #opening = new Map<Deadline, Promise<unknown>>();
  /** Connections on their way to being closed. */
  readonly #closing = new Set<Promise<void>>();
  #generation = 0;
  #isClosed = false;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
  }

  /** An idle session, or a new one. Give it back by {@link release}. */
  async acquire(deadline: Deadline): Promise<Session> {
    if (this.#isClosed) throw closedError();
    if (deadline.signal.aborted) throw deadline.error("not-started");
    const generation = this.#generation;
    for (let idle = this.#takeIdle(); idle !== undefined; idle = this.#takeIdle()) {
      if (idle.isIdle) {
        idle.holdProcess(true);
        this.#busy.set(idle, generation);
        return idle;
      }
      this.#close(idle);
    }
    const opening = openSession(this.#options.connect, deadline, this.#options.logger).then(
      (session) => {
        this.#busy.set(session, generation);
        return session;
      },
    );
    this.#opening.set(
      deadline,
      opening.catch(() => {}),
    );
    try {
      return await opening;
    } finally {
      this.#opening.delete(deadline);
    }
  }

  /** Takes a session back, to keep it (if it is clean and `keep` does not forbid it) or to close it. */
  release(session: Session, keep = true): void {
    const generation = this.#busy.get(session);
    if (!this.#busy.delete(session)) return;
    const clean = session.isIdle && generation === this.#generation && !this.#isClosed;
    if (!keep || !clean || this.#idle.length >= this.#options.maxIdle) {
      this.#close(session);
      return;
    }
    session.holdProcess(false);
    const timer = setTimeout(() => {
      const index = this.#idle.findIndex((idle) => idle.session === session);
      if (index >= 0) this.#idle.splice(index, 1);
      this.#close(session);
    }, this.#options.idleTimeoutMs).unref();
    this.#idle.push({ session, timer });
  }

  /** Closes idle sessions; those in use are closed when they come back. Resolves when none is left half closed. */
  async reset(): Promise<void> {
    this.#generation += 1;
    for (let idle = this.#takeIdle(); idle !== undefined; idle = this.#takeIdle())
      this.#close(idle);
    await this.#closed();
  }

  /** Closes all sessions, ends what is under way, and refuses further use. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const opening = [...this.#opening];
    for (const [deadline] of opening) deadline.cancel(closedError());
    await Promise.all(opening.map(([, settled]) => settled));
    for (const session of this.#busy.keys()) this.#close(session, closedError("unknown"));
    this.#busy.clear();
    await this.reset();
  }

  #takeIdle(): Session | undefined {
    const idle = this.#idle.pop();
    clearTimeout(idle?.timer);
    return idle?.session;
  }

  #close(session: Session, error?: GuestError): void {
    const closing = session.close(error).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #closed(): Promise<void> {
    await Promise.all(this.#closing);
  }
}

function closedError(outcome: GuestOutcome = "not-started"): GuestError {
  return new GuestError("ABORTED", "The client of the guest agent is closed", {
    details: { outcome },
  });
}
