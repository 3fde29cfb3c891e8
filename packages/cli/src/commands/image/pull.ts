import { makeImage } from "./make-image.ts";
import type { JsonFlag } from "../../output/print-json.ts";

/** Options of `virga image pull`. */
export interface PullFlags extends JsonFlag {
  readonly name?: string;
}

/** `virga image pull`: pulls a container image. */
export async function imagePull(reference: string, flags: PullFlags): Promise<number> {
  const { name } = flags;
  return makeImage(
    (images) => images.pull({ reference, ...(name !== undefined && { name }) }),
    flags.json === true,
  );
}
