import type { Readable, Writable } from "node:stream";
import type { GuestFiles } from "@virga/guest";
import { VirgaError, virgaCommand } from "@virga/vm";
import { EXIT } from "../exit-code.ts";
import { forwardOutput } from "../run/forward-output.ts";
import { inputError } from "../run/input-error.ts";
import type { SandboxPath } from "../sandboxes/sandbox-path.ts";

/** How to copy through a stream. */
export interface StreamCopyOptions {
  readonly user?: string;
  readonly signal: AbortSignal;
}

/** Makes a file of the sandbox of what comes from a stream, when all of it has come, and gives its length. `IO_ERROR` for a stream that cannot be read. */
export async function copyFromStream(
  files: GuestFiles,
  input: Readable,
  path: string,
  options: StreamCopyOptions & { readonly onBytes?: (bytes: number) => void },
): Promise<number> {
  const { onBytes, ...rest } = options;
  let bytes = 0;
  const pieces = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const content: AsyncIterable<Buffer> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const step = await pieces.next().catch((error: unknown) => {
          throw inputError(error);
        });
        if (step.done !== true) onBytes?.((bytes += step.value.length));
        return step;
      },
      // Not by the stream's own iterator, which ends when the next piece has come: nobody may type it.
      return: async () => {
        input.destroy();
        return { done: true, value: undefined };
      },
    }),
  };
  await files.write(path, content, { ...rest, parents: true });
  return bytes;
}

/** Writes the content of a file of a sandbox to a stream, and gives the exit code. `INVALID_ARGUMENT` for what is no file. */
export async function copyToStream(
  files: GuestFiles,
  { sandbox, path }: SandboxPath,
  output: Writable,
  options: StreamCopyOptions,
): Promise<number> {
  const { type } = await files.stat(path, options);
  if (type !== "file") {
    const sentence = `Cannot copy ${path} to standard output: it is a ${type}, and only a file can be`;
    const tar = virgaCommand(`exec ${sandbox} -- tar -c -C ${path} .`);
    throw new VirgaError("INVALID_ARGUMENT", sentence, {
      details: { path, type },
      ...(type === "directory" && { hint: `With tar in the sandbox: ${tar}` }),
    });
  }
  const content = await files.read(path, options);
  try {
    return (await forwardOutput(content, output)) === "end" ? 0 : EXIT.brokenPipe;
  } finally {
    content.destroy();
  }
}
