import { join } from "node:path";

/** Every file of one stored image. */
export interface ImagePaths {
  readonly directory: string;
  /** The read-only root file system, squashfs. */
  readonly base: string;
  /** `image.json`; its presence says that the image is whole. */
  readonly record: string;
  /** Beside the directory, because the directory comes and goes. */
  readonly lock: string;
}

/** What else there may be of an image: one half made or half removed, what has been fetched of it. */
export type ImagePhase = "building" | "dropping" | "pulling";

/** The paths of the image with this digest below `root`. */
export function imagePaths(root: string, digest: string, phase?: ImagePhase): ImagePaths {
  const hex = digest.slice("sha256:".length);
  const directory = join(root, phase === undefined ? hex : `.${phase}-${hex}`);
  return {
    directory,
    base: join(directory, "base.squashfs"),
    record: join(directory, "image.json"),
    lock: join(root, `${hex}.lock`),
  };
}

/** Where tags are: files of their names, each with a digest in it. */
export function tagsDirectory(root: string): string {
  return join(root, "tags");
}

/** The file of a tag. Names have characters that paths must not have. */
export function tagPath(root: string, name: string): string {
  return join(tagsDirectory(root), encodeURIComponent(name));
}
