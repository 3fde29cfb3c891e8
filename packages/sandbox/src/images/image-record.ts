import { readFile } from "node:fs/promises";
import { errnoOf } from "@virga/vm";
import { isImageDigest } from "./image-name.ts";

/** Raised by whoever changes what a stored image is; one of another format is as good as none. */
export const IMAGE_FORMAT = 1;

/** What commands in an image start with. */
export interface ImageSettings {
  /** A user of the image's own, by name or number; empty for root. */
  readonly user: string;
  /** Absolute path. */
  readonly workdir: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What runs when the user names no command; may be empty. */
  readonly command: readonly string[];
}

/** `image.json` of a stored image. */
export interface ImageRecord extends ImageSettings {
  readonly format: typeof IMAGE_FORMAT;
  /** Identity: the same content and settings have the same. */
  readonly digest: string;
  readonly createdAt: string;
  /** Where it came from, for people. */
  readonly source: string;
  /** Size and SHA-256 of the base file, which two builds of the same image need not share. */
  readonly base: { readonly bytes: number; readonly sha256: string };
}

/** Reads a record. One that is missing, damaged or of another format is as good as none. */
export async function readImageRecord(path: string): Promise<ImageRecord | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return isImageRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function isImageRecord(value: unknown): value is ImageRecord {
  const record = value as Partial<ImageRecord> | null;
  return (
    typeof record === "object" &&
    record !== null &&
    record.format === IMAGE_FORMAT &&
    typeof record.digest === "string" &&
    isImageDigest(record.digest) &&
    typeof record.createdAt === "string" &&
    typeof record.source === "string" &&
    typeof record.user === "string" &&
    typeof record.workdir === "string" &&
    isStrings(record.command) &&
    typeof record.environment === "object" &&
    record.environment !== null &&
    isStrings(Object.values(record.environment)) &&
    typeof record.base?.sha256 === "string" &&
    Number.isSafeInteger(record.base.bytes)
  );
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
