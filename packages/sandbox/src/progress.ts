import type { Logger } from "@virga/vm";

/** Is told what takes long, in a few words, before it is done. */
export type OnProgress = (message: string) => void;

/** One that never throws: whoever tells progress may have nobody to throw at, and the work goes on without. What is thrown is logged. */
export function guardProgress(onProgress?: OnProgress, logger?: Logger): OnProgress {
  return (message) => {
    try {
      onProgress?.(message);
    } catch (error) {
      logger?.warn({ error }, "onProgress has thrown");
    }
  };
}
