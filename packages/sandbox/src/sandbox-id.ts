import { randomBytes } from "node:crypto";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
/** Characters of an id. */
export const SANDBOX_ID_LENGTH = 20;

/** A new random id: `i` and 19 of `[a-z0-9]`, so that it can be a host name and a part of a path. */
export function newSandboxId(): string {
  let id = "i";
  while (id.length < SANDBOX_ID_LENGTH) {
    for (const byte of randomBytes(32)) {
      // 252 is the largest multiple of 36 in a byte: without this, some characters would come more often.
      if (byte < 252 && id.length < SANDBOX_ID_LENGTH) id += ALPHABET[byte % ALPHABET.length];
    }
  }
  return id;
}

/** Whether `text` has the form of an id: then it can be a part of a path. */
export function isSandboxId(text: string): boolean {
  return /^i[a-z0-9]{19}$/u.test(text);
}
