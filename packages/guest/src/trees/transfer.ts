import { GuestError } from "../errors.ts";
import type { FileOptions } from "../file-request.ts";
import { maxPayloadLength } from "../frame.ts";
import { guestText } from "../guest-text.ts";

/** How many bytes of a file are sent at once: two frames, filled, of which each names its stream by a byte. */
export const pieceLength: number = 2 * (maxPayloadLength - 1);

/** How far a transfer has come, and at its end what it came to. */
export interface TransferProgress {
  /** Bytes of files' contents. */
  readonly bytes: number;
  /** Files, directories and links. */
  readonly entries: number;
  /** Links and special files that were left out. */
  readonly skipped: number;
}

/** How to move files between this machine and the guest. */
export interface TransferOptions extends FileOptions {
  /** What becomes of symbolic links in a tree: they stay links as they are (the default), are left out, or are `FILE_REFUSED`. */
  readonly links?: "keep" | "skip" | "refuse";
  /** What becomes of devices, pipes and sockets in a tree: they are left out (the default), or are `FILE_REFUSED`. */
  readonly special?: "skip" | "refuse";
  /** Told as it goes, after each piece of content and each entry. What it throws ends the transfer. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** How to copy into the guest. */
export interface UploadOptions extends TransferOptions {
  /** Whose it is then: `"user"`, `"user:group"` or `":group"`, by name or number. Default: `user`'s. */
  readonly owner?: string;
}

/** How to copy out of the guest. */
export interface DownloadOptions extends TransferOptions {
  /** Most bytes of content before it is `GUEST_TOO_LARGE`. Default 10 GiB. */
  readonly maxBytes?: number;
  /** Most entries before it is `GUEST_TOO_LARGE`. Default 1,000,000. */
  readonly maxEntries?: number;
}

/** The count of one transfer, which stops at what it may come to. */
export class TransferCount implements TransferProgress {
  bytes = 0;
  entries = 0;
  skipped = 0;
  readonly #options: DownloadOptions;

  constructor(options: DownloadOptions) {
    this.#options = options;
  }

  /** Bytes that came. */
  addBytes(count: number): void {
    const { maxBytes = Number.POSITIVE_INFINITY } = this.#options;
    this.bytes += count;
    if (this.bytes > maxBytes) tooLarge(`more than ${maxBytes} bytes`, "maxBytes");
    this.#tell();
  }

  /** An entry begins. */
  addEntry(): void {
    const { maxEntries = Number.POSITIVE_INFINITY } = this.#options;
    this.entries += 1;
    if (this.entries > maxEntries) tooLarge(`more than ${maxEntries} entries`, "maxEntries");
    this.#tell();
  }

  /** Whether a link is kept. */
  takesLink(path: string): boolean {
    const { links = "keep" } = this.#options;
    if (links === "refuse") refuseFile(path, "a symbolic link", "links");
    if (links === "skip") this.skipped += 1;
    return links === "keep";
  }

  /** Leaves out what is neither file, directory nor link. */
  skipSpecial(path: string): void {
    if (this.#options.special === "refuse") {
      refuseFile(path, "neither a file, a directory nor a symbolic link", "special");
    }
    this.skipped += 1;
  }

  /** What it came to. */
  get result(): TransferProgress {
    const { bytes, entries, skipped } = this;
    return { bytes, entries, skipped };
  }

  #tell(): void {
    this.#options.onProgress?.(this.result);
  }
}

/** @throws GuestError `FILE_REFUSED`. */
export function refuseFile(path: string, what: string, option?: string): never {
  throw new GuestError(
    "FILE_REFUSED",
    `Cannot copy ${guestText(JSON.stringify(path))}: it is ${what}`,
    {
      details: { path },
      ...(option !== undefined && { hint: `Leave it out with ${option}: "skip".` }),
    },
  );
}

function tooLarge(what: string, option: string): never {
  throw new GuestError("GUEST_TOO_LARGE", `The guest's files come to ${what}`, {
    details: { op: "file.pack" },
    hint: `Raise ${option}.`,
  });
}
