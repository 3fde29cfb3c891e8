import { InvalidArgumentError } from "commander";

/** A port of the sandbox, and the one here that leads to it; 0: one that is free. */
export interface PortPair {
  readonly local: number;
  readonly port: number;
}

/** Adds `[LOCAL:]PORT`. A port alone is the same one here; `0:` before it, one that is free. */
export function addPort(text: string, before: readonly PortPair[] = []): readonly PortPair[] {
  const [, local = "", port = ""] = /^(?:(\d{1,5}):)?(\d{1,5})$/u.exec(text) ?? [];
  const pair = { local: Number(local === "" ? port : local), port: Number(port) };
  if (pair.port < 1 || pair.port > 65_535 || pair.local > 65_535) {
    throw new InvalidArgumentError("It must be PORT or LOCAL:PORT, with ports from 1 to 65535.");
  }
  return [...before, pair];
}
