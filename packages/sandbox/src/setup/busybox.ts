import { createHash } from "node:crypto";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, virgaCommand } from "@virga/vm";
import { currentEntry, pointTo } from "./current-link.ts";
import { withUnpackedPackages, type DebPackageOptions } from "./deb-package.ts";
import { publishFile } from "./publish.ts";

const PT_INTERP = 3;
const ELF = Buffer.from("\x7fELF\x02\x01", "latin1");

/** The busybox that new initramfs get, if there is one. */
export async function currentBusybox(root: string): Promise<string | undefined> {
  return currentEntry(root);
}

/**
 * Takes the static busybox of the distribution's package into the store, without installing it: it would replace a `busybox` the host may have.
 * `SETUP_FAILED` when it cannot be downloaded.
 */
export async function fetchBusybox(
  root: string,
  options: Omit<DebPackageOptions, "directory"> = {},
): Promise<string> {
  return withUnpackedPackages(
    ["busybox-static"],
    { ...options, directory: root },
    async ({ tree }) => {
      const content = await firstOf(join(tree, "bin/busybox"), join(tree, "usr/bin/busybox"));
      return store(root, content, "the package busybox-static");
    },
  );
}

/** Takes a busybox given by path into the store. `SETUP_FAILED` when it cannot be read or is not a static program: a guest has no libraries to load. */
export async function importBusybox(root: string, file: string): Promise<string> {
  return store(root, await firstOf(file), file);
}

async function store(root: string, content: Buffer, source: string): Promise<string> {
  if (!isStaticProgram(content)) {
    throw new VirgaError(
      "SETUP_FAILED",
      `Cannot use the busybox of ${source}: it is not a statically linked 64-bit program`,
      {
        details: { source },
        hint: `Give a static busybox: ${virgaCommand("setup --busybox FILE")}`,
      },
    );
  }
  const name = `busybox-${createHash("sha256").update(content).digest("hex").slice(0, 16)}`;
  const path = join(root, name);
  await publishFile(path, async (work) => {
    await writeFile(work, content);
    await chmod(work, 0o755);
  });
  await pointTo(root, name);
  return path;
}

/** True for a 64-bit ELF program that asks for no interpreter, so for no shared libraries either. */
function isStaticProgram(program: Buffer): boolean {
  if (program.length < 64 || !program.subarray(0, ELF.length).equals(ELF)) return false;
  const table = Number(program.readBigUInt64LE(0x20));
  const entryBytes = program.readUInt16LE(0x36);
  const count = program.readUInt16LE(0x38);
  if (table + count * entryBytes > program.length) return false;
  for (let index = 0; index < count; index++) {
    if (program.readUInt32LE(table + index * entryBytes) === PT_INTERP) return false;
  }
  return count > 0;
}

async function firstOf(...files: readonly [string, ...string[]]): Promise<Buffer> {
  let cause: unknown;
  for (const file of files) {
    try {
      return await readFile(file);
    } catch (error) {
      cause = error;
    }
  }
  throw new VirgaError("SETUP_FAILED", `Cannot read busybox at ${files.join(" or ")}`, { cause });
}
