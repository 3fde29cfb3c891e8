import { InvalidArgumentError } from "commander";

/** A whole number within limits. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/u.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

/** Seconds above 0, fractions allowed, as milliseconds. */
export function secondsToMs(text: string): number {
  const ms = /^\d{1,8}(?:\.\d{1,6})?$/u.test(text) ? Math.ceil(Number(text) * 1000) : 0;
  if (ms > 0) return ms;
  throw new InvalidArgumentError("It must be a number of seconds above 0.");
}

/** Adds `K=V` to the environment; `K` alone takes the value it has here, if it has one. */
export function addVariable(
  host: Readonly<Record<string, string | undefined>>,
): (text: string, before: Readonly<Record<string, string>>) => Readonly<Record<string, string>> {
  return (text, before) => {
    const [, name = "", value = host[name]] = /^([^=]*)(?:=([^]*))?$/u.exec(text) ?? [];
    if (name === "") throw new InvalidArgumentError("It must be NAME=VALUE, or the NAME alone.");
    return value === undefined ? before : { ...before, [name]: value };
  };
}

/** A `SRC:DEST` pair. */
export interface CopyPair {
  readonly source: string;
  readonly destination: string;
}

/** Adds `SRC:DEST`, parted at the last colon. */
export function addCopy(text: string, before: readonly CopyPair[]): readonly CopyPair[] {
  const colon = text.lastIndexOf(":");
  const [source, destination] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)];
  if (source === "" || !destination.startsWith("/")) {
    throw new InvalidArgumentError(
      "It must be SRC:DEST, with an absolute path in the sandbox as DEST.",
    );
  }
  return [...before, { source, destination }];
}

/** A user in the guest. */
export function guestUser(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("It must be a name or a number.");
}

/** A directory in the guest. */
export function guestDirectory(text: string): string {
  if (text.startsWith("/")) return text;
  throw new InvalidArgumentError("It must be an absolute path in the sandbox.");
}
