import { dirname, join } from "node:path";

/** Every file of one template. */
export interface TemplatePaths {
  readonly directory: string;
  /** The published snapshot. */
  readonly snapshot: string;
  /** What the guest had written to its disk at the moment of the snapshot; absent where it has none. */
  readonly upper: string;
  /** `template.json`: what it is, for people; its presence says that the template is whole. */
  readonly description: string;
  /** Its modification time is the time of the last use. */
  readonly used: string;
  /** Beside the directory, because the directory comes and goes. */
  readonly lock: string;
}

/** What a template's directory is named while it is not one yet, or no longer. */
export type TemplatePhase = "building" | "dropping";

const UPPER = "upper.ext4";

/** The writable disk that belongs to a template's snapshot. */
export function upperOf(snapshotDirectory: string): string {
  return join(dirname(snapshotDirectory), UPPER);
}

/** The paths of template `key` below `root`. */
export function templatePaths(root: string, key: string, phase?: TemplatePhase): TemplatePaths {
  const directory = join(root, phase === undefined ? key : `.${phase}-${key}`);
  return {
    directory,
    snapshot: join(directory, "snapshot"),
    upper: join(directory, UPPER),
    description: join(directory, "template.json"),
    used: join(directory, "used"),
    lock: join(root, `${key}.lock`),
  };
}
