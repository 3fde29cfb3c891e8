import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError, virgaCommand } from "@virga/vm";
import { BUILT_IN_NAMES, DEBIAN, DEFAULT_IMAGE } from "./own-images.ts";

/** A read-only root file system and what a command in it starts with. */
export interface Image {
  readonly name: string;
  /** Everything about it that a template of it depends on. */
  readonly identity: string;
  /** Absent for the built-in image. */
  readonly digest?: string;
  /** The file that is attached as the guest's base disk; absent for the built-in image, whose root is the initramfs itself. */
  readonly disk?: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly workdir: string;
  /** Who commands run as; empty for root. */
  readonly user: string;
  /** What runs when the user names no command. */
  readonly command: readonly string[];
}

/** Whoever has an image alone looks after it, or removes it: neither takes long. */
const KEEP_MS = 10_000;
const KEEP_POLL_MS = 20;

/** The PATH that the agent gives a command where nobody says otherwise. */
export const DEFAULT_GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const builtin: readonly Image[] = [
  {
    name: DEFAULT_IMAGE,
    identity: DEFAULT_IMAGE,
    environment: {
      PATH: DEFAULT_GUEST_PATH,
      HOME: "/root",
    },
    workdir: "/",
    user: "",
    command: ["/bin/sh"],
  },
];

/**
 * Finds an image by name, digest or the beginning of a digest, in the store `directory`, which need not exist. `NOT_FOUND` names those there are. The store is
 * not even loaded for an image that is built in.
 */
export async function findImage(name: string, directory: string): Promise<Image> {
  const known = builtin.find((each) => each.name === name);
  if (known !== undefined) return known;
  const { ImageStore } = await import("./image-store.ts");
  const store = new ImageStore({ directory });
  const stored = await store.find(name);
  if (stored !== undefined) {
    const { digest, environment, workdir, user, command, base } = stored.record;
    const identity = `${digest} ${base.sha256}`;
    return { name, identity, digest, disk: stored.base, environment, workdir, user, command };
  }
  if ((await store.unusable(name)) !== undefined) {
    throw new VirgaError(
      "NOT_FOUND",
      `Image "${name}" cannot be used: another version of Virga stored it, or it was damaged`,
      {
        details: { image: name },
        hint: `Build or pull it again, or remove it: ${virgaCommand(`image rm ${name}`)}`,
      },
    );
  }
  const names = new Set([...BUILT_IN_NAMES, DEBIAN]);
  for (const each of await store.list()) each.names.forEach((tag) => names.add(tag));
  throw new VirgaError(
    "NOT_FOUND",
    `Unknown image ${JSON.stringify(name)}: there is ${[...names].join(", ")}`,
    {
      details: { image: name },
    },
  );
}

/** Whether there is a stored image of this name or digest. */
export async function isStored(name: string, directory: string): Promise<boolean> {
  const { ImageStore } = await import("./image-store.ts");
  return (await new ImageStore({ directory }).find(name)) !== undefined;
}

/**
 * Keeps an image from being removed until what it gives is called. `NOT_FOUND` when it was removed, `VM_BUSY` when another process has it for itself for ten
 * seconds, `ABORTED` by the signal.
 */
export async function keepImage(
  image: Image,
  directory: string,
  signal?: AbortSignal,
): Promise<() => void> {
  const { name, digest } = image;
  if (digest === undefined) return () => undefined;
  const { ImageStore } = await import("./image-store.ts");
  const store = new ImageStore({ directory });
  const deadline = performance.now() + KEEP_MS;
  for (;;) {
    const lock = await store.use(digest);
    if (lock !== undefined) return () => lock.release();
    if ((await store.find(digest)) === undefined) {
      throw new VirgaError("NOT_FOUND", `Image "${name}" has just been removed`, {
        details: { image: name },
      });
    }
    if (performance.now() >= deadline) {
      throw new VirgaError(
        "VM_BUSY",
        `Cannot use image "${name}": another process has had it for itself for ${KEEP_MS} ms`,
        { details: { image: name } },
      );
    }
    if (signal?.aborted === true) throw abortedError(`waiting for image "${name}"`, signal);
    await sleep(KEEP_POLL_MS);
  }
}
