import { GuestError } from "./errors.ts";
import { frameOverhead } from "./frame.ts";

/** Our credit at the start, and the most it can be, in bytes. */
export const sendWindow = 131_072;

/** The agent's credit at the start, and the most it can be, in bytes. */
export const receiveWindow = 524_288;

/** Consumed bytes are returned when they come to this many. Each return wakes the guest, which costs it as much as moving a frame. */
export const creditReturn = 98_304;

const frameCost = 1_024;

/** What a DATA or EOF frame with this payload costs, in bytes of credit. */
export function costOf(payloadLength: number): number {
  return payloadLength + frameOverhead + frameCost;
}

/** What we may still send. One sender at a time waits for it. */
export class SendCredit {
  #available = sendWindow;
  #waiting: { readonly cost: number; readonly resolve: (taken: boolean) => void } | undefined;

  get available(): number {
    return this.#available;
  }

  /** Takes `cost`, waiting until it is there. False when {@link stopWaiting} was called meanwhile. */
  take(cost: number): Promise<boolean> {
    if (this.#waiting !== undefined) throw new Error("two senders wait for credit");
    if (cost <= this.#available) {
      this.#available -= cost;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      this.#waiting = { cost, resolve };
    });
  }

  /** @throws GuestError `GUEST_PROTOCOL` when more comes back than was spent. */
  grant(bytes: number): void {
    this.#available += bytes;
    if (this.#available > sendWindow) {
      throw new GuestError(
        "GUEST_PROTOCOL",
        "The guest agent returned more credit than it was given",
      );
    }
    const waiting = this.#waiting;
    if (waiting === undefined || waiting.cost > this.#available) return;
    this.#waiting = undefined;
    this.#available -= waiting.cost;
    waiting.resolve(true);
  }

  /** Sends the waiting sender away: there is nobody left to send to. */
  stopWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(false);
  }
}

/** What the agent may still send, and what we owe it. */
export class ReceiveCredit {
  /** What the agent holds. */
  #granted = receiveWindow;
  /** Consumed and not yet returned. */
  #owed = 0;

  /** Bytes received and not yet consumed. */
  get unconsumed(): number {
    return receiveWindow - this.#granted - this.#owed;
  }

  /** @throws GuestError `GUEST_PROTOCOL` when the agent sends more than it may. */
  charge(cost: number): void {
    this.#granted -= cost;
    if (this.#granted < 0) {
      throw new GuestError("GUEST_PROTOCOL", "The guest agent sent more than its credit allows");
    }
  }

  /** Notes that `cost` was handed on; returns how much credit is to be sent now, often 0. */
  consume(cost: number): number {
    this.#owed += cost;
    if (this.#owed < creditReturn) return 0;
    const bytes = this.#owed;
    this.#owed = 0;
    this.#granted += bytes;
    return bytes;
  }
}
