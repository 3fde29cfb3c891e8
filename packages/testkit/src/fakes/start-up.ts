import { readFileSync, writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { FAKE_FILES, readBehaviour } from "./behaviour.ts";

/** Ends a fake at start with a message, as a hypervisor that cannot work does. */
export function fail(code: number, message: string): never {
  writeSync(2, `${message}\n`);
  process.exit(code);
}

/**
 * What a fake does before anything else: its log flood, its failure at start, its way with SIGTERM. Returns only when the fake goes on.
 * @param terminate what SIGTERM and SIGINT do
 */
export async function prepareProcess(directory: string, terminate: () => void): Promise<void> {
  process.umask(0o077);
  const behaviour = readBehaviour(directory);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (readBehaviour(directory).ignoreSigterm !== true) terminate();
    });
  }
  // Most fakes end by a signal, which saves no compile cache.
  flushCompileCache();
  const flood = behaviour.logFloodBytes ?? 0;
  const line = `${"flood ".repeat(20)}\n`;
  for (let sent = 0; sent < flood; sent += line.length) writeSync(2, line);
  if (behaviour.start?.do === "exit") fail(behaviour.start.code, behaviour.start.message);
  if (behaviour.start?.do === "no-socket") {
    setInterval(() => undefined, 60_000);
    await new Promise<never>(() => undefined);
  }
}

/** What the fake's `--version` prints after the name. */
export function versionOf(directory: string): string {
  const script = readFileSync(join(directory, FAKE_FILES.version), "utf8");
  return /^# version (.*)$/m.exec(script)?.[1] ?? "";
}
