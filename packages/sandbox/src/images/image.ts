import { DEFAULT_GUEST_PATH } from "../explain-start.ts";
import { VirgaError } from "@virga/vm";

/** A read-only root file system and what a command in it starts with. */
export interface Image {
  readonly name: string;
  /** The file that is attached as the guest's base disk; absent for the built-in image, whose root is the initramfs itself. */
  readonly disk?: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly workdir: string;
  /** What runs when the user names no command. */
  readonly command: readonly string[];
}

/** The image that is used when none is named. */
export const DEFAULT_IMAGE = "busybox";

const builtin: readonly Image[] = [
  {
    name: DEFAULT_IMAGE,
    environment: {
      PATH: DEFAULT_GUEST_PATH,
      HOME: "/root",
    },
    workdir: "/",
    command: ["/bin/sh"],
  },
];

/** Finds an image by name. `NOT_FOUND` names those there are. */
export function findImage(name: string): Image {
  const image = builtin.find((each) => each.name === name);
  if (image !== undefined) return image;
  const names = builtin.map((each) => each.name).join(", ");
  throw new VirgaError("NOT_FOUND", `Unknown image "${name}": there is ${names}`, {
    details: { image: name },
  });
}
