import type { ExecOptions } from "@virga/guest";
import type { Image } from "../images/image.ts";

/** How to start a command in an image: as its user in its directory, where the options name no other. */
export function withImageDefaults(
  { user, workdir }: Pick<Image, "user" | "workdir">,
  options: ExecOptions,
): ExecOptions {
  return {
    ...options,
    ...(options.user === undefined && user !== "" && { user }),
    // A login shell finds its own.
    ...(options.cwd === undefined && options.login !== true && workdir !== "/" && { cwd: workdir }),
  };
}
