import { existsSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { openPlainFile } from "../../open-plain-file.ts";
import { outputStart } from "../../output-file.ts";
import { createEventParser } from "./events.ts";
import type { VmmEvent } from "./events.ts";

const PIECE_BYTES = 64 * 1024;

/** How often to look where the host gives no notifications (its limit of watches is reached). */
const POLL_MS = 250;

/**
 * Reports every event of the file `path`, from its beginning, as it grows. The file may come into being later. Does not keep the process alive.
 * Returns the stop function; no event is reported after it.
 */
export function tailEvents(path: string, onEvent: (event: VmmEvent) => void): () => void {
  let stopped = false;
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  const read = createReader(path, (event) => {
    if (!stopped) onEvent(event);
    return !stopped;
  });
  const poll = (): void => {
    if (!stopped) timer ??= setInterval(read, POLL_MS).unref();
  };
  const arm = (target: string, notify: (name: string | null) => void): void => {
    watcher?.close();
    watcher = undefined;
    try {
      watcher = watch(target, { persistent: false }, (_kind, name) => {
        if (!stopped) notify(name);
      });
      watcher.on("error", poll);
    } catch {
      poll();
    }
  };
  const begin = (): void => {
    if (!existsSync(path)) {
      arm(dirname(path), (name) => {
        if (name === basename(path)) begin();
      });
    }
    // It may have come between the question and the watch.
    if (existsSync(path)) arm(path, read);
    read();
  };
  begin();
  return () => {
    stopped = true;
    watcher?.close();
    clearInterval(timer);
  };
}

/** A function that reads what was added since it last did; calls that meet one in progress make it look once more. */
function createReader(path: string, onEvent: (event: VmmEvent) => boolean): () => void {
  const decoder = new StringDecoder("utf8");
  const parser = createEventParser();
  let offset: number | undefined;
  let isReading = false;
  let again = false;
  const readOn = async (): Promise<void> => {
    const file = await openPlainFile(path);
    try {
      offset ??= await outputStart(file);
      const buffer = Buffer.alloc(PIECE_BYTES);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, offset);
        if (bytesRead === 0) return;
        offset += bytesRead;
        for (const event of parser.push(decoder.write(buffer.subarray(0, bytesRead)))) {
          if (!onEvent(event)) return;
        }
      }
    } finally {
      await file.close();
    }
  };
  const run = async (): Promise<void> => {
    isReading = true;
    do {
      again = false;
      // Not there yet, or gone with its VM: a later notification reads again.
      await readOn().catch(() => undefined);
    } while (again);
    isReading = false;
  };
  return () => {
    if (isReading) again = true;
    else void run();
  };
}
