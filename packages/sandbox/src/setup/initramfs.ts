import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { VirgaError } from "@virga/vm";
import { cpioArchive, type CpioEntry } from "./cpio.ts";
import { publishFile } from "./publish.ts";
import { runTool } from "./run-tool.ts";

/** What goes into an initramfs. */
export interface InitramfsContent {
  /** The static program that becomes `/init`, PID 1. */
  readonly init: string;
  /** Kernel modules, in the order in which to load them. They become `/modules/*.ko`; `/modules/order` lists their names, one a line. */
  readonly modules: readonly string[];
  /** A static busybox; with it the initramfs's root is the built-in image `busybox`. */
  readonly busybox?: string;
}

/** An initramfs on disk. */
export interface Initramfs {
  readonly path: string;
  /** Hash of everything in it; part of a template's key. */
  readonly hash: string;
  /** False when the same one was there already. */
  readonly built: boolean;
}

const directories = ["dev", "proc", "sys", "run", "root", "tmp", "mnt", "var/tmp"] as const;
const texts: Readonly<Record<string, string>> = {
  "etc/passwd":
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
  "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
  "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
};
const restricted: Readonly<Record<string, number>> = {
  root: 0o700,
  tmp: 0o1777,
  "var/tmp": 0o1777,
};

/** Makes the archive's bytes: uncompressed (the kernel unpacks that fastest), the same for the same content. */
export async function initramfsArchive(content: InitramfsContent): Promise<Buffer> {
  const entries: CpioEntry[] = [
    { type: "file", path: "init", content: await readInput(content.init), mode: 0o755 },
    { type: "character", path: "dev/console", major: 5, minor: 1, mode: 0o600 },
    { type: "character", path: "dev/null", major: 1, minor: 3, mode: 0o666 },
  ];
  for (const path of directories) {
    entries.push({ type: "directory", path, mode: restricted[path] ?? 0o755 });
  }
  for (const [path, text] of Object.entries(texts)) {
    entries.push({ type: "file", path, content: Buffer.from(text) });
  }
  for (const file of content.modules) {
    entries.push({
      type: "file",
      path: `modules/${basename(file)}`,
      content: await readInput(file),
    });
  }
  const order = content.modules.map((file) => `${basename(file)}\n`).join("");
  entries.push({ type: "file", path: "modules/order", content: Buffer.from(order) });
  if (content.busybox !== undefined) entries.push(...(await busyboxEntries(content.busybox)));
  return cpioArchive(entries);
}

/** Tells whether {@link buildInitramfs} would find this initramfs built already. */
export async function isInitramfsBuilt(
  content: InitramfsContent,
  directory: string,
  name = "initramfs",
): Promise<boolean> {
  const archive = await initramfsArchive(content);
  return isSame(archivePath(archive, directory, name), archive);
}

/** Builds an initramfs into the folder `directory`, as `<name>-<hash>.cpio`, once per content. */
export async function buildInitramfs(
  content: InitramfsContent,
  directory: string,
  name = "initramfs",
): Promise<Initramfs> {
  const archive = await initramfsArchive(content);
  const hash = hashOf(archive);
  const path = archivePath(archive, directory, name);
  if (await isSame(path, archive)) return { path, hash, built: false };
  await publishFile(path, (work) => writeFile(work, archive));
  return { path, hash, built: true };
}

function hashOf(archive: Buffer): string {
  return createHash("sha256").update(archive).digest("hex");
}

function archivePath(archive: Buffer, directory: string, name: string): string {
  return join(directory, `${name}-${hashOf(archive).slice(0, 16)}.cpio`);
}

async function isSame(path: string, content: Buffer): Promise<boolean> {
  return readFile(path).then(
    (existing) => existing.equals(content),
    () => false,
  );
}

async function busyboxEntries(busybox: string): Promise<CpioEntry[]> {
  const list = await runTool(busybox, ["--list-full"], { what: `list the applets of ${busybox}` });
  const applets = list
    .toString("utf8")
    .split("\n")
    .filter((path) => path !== "");
  const entries: CpioEntry[] = [
    { type: "file", path: "bin/busybox", content: await readInput(busybox), mode: 0o755 },
  ];
  const seen = new Set(["bin/busybox", "init"]);
  for (const applet of applets) {
    // `linuxrc` and other names outside the usual folders would shadow what PID 1 needs.
    if (!/^(?:usr\/)?s?bin\/[^/]+$/u.test(applet) || seen.has(applet)) continue;
    seen.add(applet);
    entries.push({ type: "link", path: applet, target: "/bin/busybox" });
  }
  return entries;
}

async function readInput(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new VirgaError("SETUP_FAILED", `Cannot build the initramfs: ${file} cannot be read`, {
      cause,
    });
  }
}
