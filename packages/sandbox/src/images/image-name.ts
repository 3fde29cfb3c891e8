import { VirgaError } from "@virga/vm";

const NAME = /^[a-z0-9][a-z0-9._/:@-]{0,199}$/iu;
const DIGEST = /^sha256:[0-9a-f]{64}$/u;

/** Whether `text` can be the name of an image: a tag, which points to one. */
export function isImageName(text: string): boolean {
  // It is the name of a file too, where some characters take three bytes.
  return NAME.test(text) && !text.startsWith("sha256:") && encodeURIComponent(text).length <= 255;
}

/** Whether `text` is the digest of an image, `sha256:` and 64 hexadecimal digits. */
export function isImageDigest(text: string): boolean {
  return DIGEST.test(text);
}

/** Fails with `INVALID_ARGUMENT` unless a new image may have this name. `taken` are names that are built in. */
export function checkImageName(name: string, taken: readonly string[]): void {
  const problem = isImageName(name)
    ? taken.includes(name) && "an image of this name is built in"
    : "a name is letters, digits and any of . _ / : @ -, begins with a letter or digit, and is at most 200 bytes long";
  if (problem === false) return;
  throw new VirgaError(
    "INVALID_ARGUMENT",
    `Cannot name an image ${JSON.stringify(name)}: ${problem}`,
    { details: { name } },
  );
}
