import type { WriteStream } from "node:tty";
import type { SetupEvent } from "@virga/sandbox";

/** Shows the progress of set-up. */
export interface SetupProgress {
  readonly onEvent: (event: SetupEvent) => void;
  /** Waits until all is shown. With a sentence, the step that was going on is shown as failed. */
  finish(failure?: string): Promise<void>;
}

type Show = (event: SetupEvent) => void;

/**
 * Progress on `stream`: live on a terminal, else plain lines, without what the programs of the system say. Standard input is never touched: it belongs to the
 * command that is about to run.
 */
export function setupProgress(stream: NodeJS.WriteStream): SetupProgress {
  return stream.isTTY ? liveProgress(stream) : plainProgress(stream);
}

function plainProgress(stream: NodeJS.WritableStream): SetupProgress {
  return {
    onEvent: ({ phase, message }) => {
      if (phase !== "progress" && phase !== "done") stream.write(`virga: ${message}\n`);
    },
    finish: async () => undefined,
  };
}

function liveProgress(output: WriteStream): SetupProgress {
  // The library is loaded by the first event: when nothing needs setting up it costs nothing.
  let ready: Promise<{ show: Show; fail: (failure: string) => void }> | undefined;
  let shown: Promise<void> = Promise.resolve();
  return {
    onEvent: (event) => {
      ready ??= loadLive(output);
      const live = ready;
      shown = shown.then(async () => (await live).show(event));
    },
    finish: async (failure) => {
      await shown;
      if (failure !== undefined) (await ready)?.fail(failure);
    },
  };
}

async function loadLive(
  output: WriteStream,
): Promise<{ show: Show; fail: (failure: string) => void }> {
  const { log } = await import("@clack/prompts");
  // One line below the others, written over and over: what the running step says.
  const transient = (text: string): void => {
    const room = output.columns - 4;
    if (room > 0) output.write(`\r\u001b[2K${text === "" ? "" : `   ${text.slice(0, room)}`}`);
  };
  return {
    show: ({ phase, message }) => {
      if (phase === "progress") return transient(message);
      transient("");
      if (phase === "start") log.step(message, { output });
      else if (phase !== "done") log.info(message, { output });
    },
    fail: (failure) => {
      transient("");
      log.error(failure, { output });
    },
  };
}
