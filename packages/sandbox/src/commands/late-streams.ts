import { Readable, Writable, finished } from "node:stream";

/** Bytes kept here beside what the stream itself keeps. */
const highWaterMark = 65_536;

/**
 * A stream to read from before the one it reads from is there. A reader that stops stops that one, too. Its error is what `explain` makes of the error.
 */
export function lateReadable(
  source: Promise<Readable>,
  explain: (error: unknown) => Promise<Error>,
): Readable {
  let inner: Readable | undefined;
  const outer = new Readable({
    highWaterMark,
    construct(callback) {
      void settle(source, callback, (stream) => {
        inner = stream;
        stream.on("data", (bytes: Buffer) => {
          if (!outer.push(bytes)) stream.pause();
        });
        stream.pause();
        finished(stream, { writable: false }, (error) => {
          if (error) void explain(error).then((why) => outer.destroy(why));
          else outer.push(null);
        });
      });
    },
    read() {
      inner?.resume();
    },
    destroy(error, callback) {
      inner?.destroy();
      callback(error);
    },
  });
  // As with the streams of a guest process: who does not use it must not be brought down.
  outer.on("error", () => undefined);
  return outer;
}

/** A stream to write to before the one it writes to is there. When that one takes no more, it is closed, without an error unless that one has one. */
export function lateWritable(target: Promise<Writable>): Writable {
  let inner: Writable | undefined;
  const outer = new Writable({
    highWaterMark,
    construct(callback) {
      void settle(target, callback, (stream) => {
        inner = stream;
        finished(stream, { readable: false }, () => outer.destroy(stream.errored ?? undefined));
      });
    },
    write(bytes, _encoding, callback) {
      if (inner === undefined || inner.destroyed) callback();
      // Bytes that came too late are dropped, as those that the process does not read: the end of the stream tells.
      else inner.write(bytes, () => callback());
    },
    final(callback) {
      if (inner === undefined || inner.destroyed) callback();
      else inner.end(() => callback());
    },
    destroy(error, callback) {
      inner?.destroy();
      callback(error);
    },
  });
  outer.on("error", () => undefined);
  return outer;
}

async function settle<T>(
  stream: Promise<T>,
  callback: (error?: Error) => void,
  join: (stream: T) => void,
): Promise<void> {
  try {
    join(await stream);
  } catch (error) {
    callback(error as Error);
    return;
  }
  callback();
}
