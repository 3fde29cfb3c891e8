import { makeImage } from "./make-image.ts";

/** Options of `virga image pull`. */
export interface PullFlags {
  readonly name?: string;
  readonly json?: true;
}

/** `virga image pull`: pulls a container image. */
export async function imagePull(reference: string, flags: PullFlags): Promise<number> {
  const { name } = flags;
  return makeImage(
    (images) => images.pull({ reference, ...(name !== undefined && { name }) }),
    flags.json === true,
  );
}
