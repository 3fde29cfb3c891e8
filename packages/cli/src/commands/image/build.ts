import { resolve } from "node:path";
import { makeImage } from "./make-image.ts";
import type { JsonFlag } from "../../output/print-json.ts";

/** Options of `virga image build`. */
export interface BuildFlags extends JsonFlag {
  readonly from: string;
  readonly user: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
}

/** `virga image build`: makes an image of a directory or a tar file. */
export async function imageBuild(
  name: string,
  command: readonly string[],
  flags: BuildFlags,
): Promise<number> {
  const { user, workdir, env: environment } = flags;
  const settings = { user, workdir, environment, command };
  return makeImage(
    (images) => images.build({ name, from: resolve(flags.from), settings }),
    flags.json === true,
  );
}
