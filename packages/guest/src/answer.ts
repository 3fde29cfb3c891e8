import { GuestError, type GuestErrorCode, guestErrorCodes } from "./errors.ts";
import { guestText } from "./guest-text.ts";
import type { MessageMap, MessageValue } from "./message.ts";

/** Checked access to the fields of one message of the agent's. A wrong type is `GUEST_PROTOCOL`. */
export class Answer {
  readonly #op: string;
  readonly #map: MessageMap;

  constructor(op: string, map: MessageMap) {
    this.#op = op;
    this.#map = map;
  }

  has(key: string): boolean {
    return this.#map.has(key);
  }

  /** An integer from `min` to `max`. */
  integer(key: string, min = 0, max: number = Number.MAX_SAFE_INTEGER): number {
    return this.#integer(key, this.#map.get(key), min, max);
  }

  /** As {@link integer}, undefined when the key is missing. */
  optionalInteger(key: string, min = 0, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.#map.get(key);
    return value === undefined ? undefined : this.#integer(key, value, min, max);
  }

  boolean(key: string): boolean {
    const value = this.#map.get(key);
    return typeof value === "boolean" ? value : this.#bad(key, "a boolean");
  }

  /** False when the key is missing. */
  flag(key: string): boolean {
    return this.#map.has(key) && this.boolean(key);
  }

  /** Text for people, made safe to show. */
  text(key: string): string {
    const value = this.#map.get(key);
    return typeof value === "string" ? guestText(value) : this.#bad(key, "a string");
  }

  /** As {@link text}, undefined when the key is missing. */
  optionalText(key: string): string | undefined {
    return this.#map.has(key) ? this.text(key) : undefined;
  }

  /** One of the given words. */
  oneOf<Word extends string>(key: string, words: readonly Word[]): Word {
    const value = this.#map.get(key);
    const word = words.find((known) => known === value);
    return word ?? this.#bad(key, `one of ${words.join(", ")}`);
  }

  /** A name of the guest's, as it is: text or bytes, neither empty nor with a NUL. */
  name(key: string): string | Buffer {
    const value = this.#map.get(key);
    if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
    if (value instanceof Uint8Array && value.length > 0 && !value.includes(0))
      return Buffer.from(value);
    return this.#bad(key, "a name");
  }

  /** A pair of seconds and nanoseconds. */
  timeNs(key: string): bigint {
    const value = this.#map.get(key);
    const [seconds, rest] = Array.isArray(value) && value.length === 2 ? value : [];
    if (typeof seconds !== "number" || typeof rest !== "number" || rest < 0 || rest > 999_999_999)
      return this.#bad(key, "[seconds, nanoseconds]");
    return BigInt(seconds) * 1_000_000_000n + BigInt(rest);
  }

  /** A map of byte strings. */
  bytesByName(key: string): Map<string, Buffer> {
    const value = this.#map.get(key);
    if (!(value instanceof Map)) return this.#bad(key, "a map");
    const result = new Map<string, Buffer>();
    for (const [name, bytes] of value as MessageMap) {
      if (!(bytes instanceof Uint8Array)) return this.#bad(key, "a map of bytes");
      result.set(name, Buffer.from(bytes));
    }
    return result;
  }

  /** An array of integers of 0 or more, of `length` items if that is given. */
  integers(key: string, length?: number): number[] {
    const value = this.#map.get(key);
    if (!Array.isArray(value) || (length !== undefined && value.length !== length)) {
      return this.#bad(key, `an array of ${length ?? ""} integers`.replace("  ", " "));
    }
    return value.map((item: MessageValue) => this.#integer(key, item, 0, Number.MAX_SAFE_INTEGER));
  }

  /** An array of maps, at most `most` of them. */
  maps(key: string, most: number): Answer[] {
    const value = this.#map.get(key);
    if (!Array.isArray(value) || value.length > most) {
      return this.#bad(key, `an array of at most ${most} maps`);
    }
    return value.map((item: MessageValue) =>
      item instanceof Map ? new Answer(this.#op, item) : this.#bad(key, "an array of maps"),
    );
  }

  /** The error that the agent answered with. The message of `ok: false`. */
  refusal(): GuestError {
    const agentCode = this.text("code");
    const errno = this.optionalInteger("errno", 0, 4_095);
    const what = this.optionalText("what");
    const code = `GUEST_${agentCode}`;
    const known = isCode(code);
    return new GuestError(
      known ? code : "GUEST_FAILED",
      `The guest refused ${this.#op}: ${this.text("message")}`,
      {
        details: {
          op: this.#op,
          ...(errno !== undefined && { errno }),
          ...(what !== undefined && { what }),
          ...(this.#map.has("pids") && { pids: this.integers("pids") }),
          ...(!known && { agentCode }),
        },
      },
    );
  }

  #integer(key: string, value: MessageValue | undefined, min: number, max: number): number {
    if (typeof value === "number" && value >= min && value <= max) return value;
    return this.#bad(key, `an integer from ${min} to ${max}`);
  }

  #bad(key: string, expected: string): never {
    throw new GuestError(
      "GUEST_PROTOCOL",
      `The guest agent answered ${this.#op} without a right "${key}": it must be ${expected}`,
    );
  }
}

/** Codes that an agent may send; those of this side's own making are not among them. */
const ownCodes = new Set<string>([
  "GUEST_CONNECTION_LOST",
  "GUEST_PROTOCOL",
  "GUEST_TAKEN_OVER",
  "GUEST_TIMEOUT",
  "GUEST_TOO_LARGE",
]);

function isCode(code: string): code is GuestErrorCode {
  return (guestErrorCodes as readonly string[]).includes(code) && !ownCodes.has(code);
}
