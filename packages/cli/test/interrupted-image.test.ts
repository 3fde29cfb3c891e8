import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  imageToolsMissing,
  processesNaming,
  realProgram,
  usePathPrograms,
  useTemporaryDirectory,
} from "@virga/testkit";
import { craftLayer, craftLayout } from "../../sandbox/test/container-images.ts";
import { imagesIn } from "../../sandbox/test/image-stores.ts";
import { endOf, virgaIn } from "./test-virga.ts";

const skip = imageToolsMissing("sqfstar", "mke2fs", "skopeo");

/** A case: what is done, which program is at work at the moment, and the signal with its exit code. */
interface Interruption {
  readonly what: string;
  readonly program: string;
  /** Calls of the program that begin like this go on for ever; others do their work. */
  readonly call?: string;
  readonly args: (at: (name: string) => string) => readonly string[];
  readonly signal: "SIGINT" | "SIGTERM" | "SIGHUP";
  readonly code: number;
}

const pull = (at: (name: string) => string) => ["image", "pull", `oci:${at("layout")}`];
const build = (at: (name: string) => string) => ["image", "build", "app", "--from", at("tree")];

const cases: readonly Interruption[] = [
  {
    what: "a pull that looks for the image",
    program: "skopeo",
    args: pull,
    signal: "SIGINT",
    code: 130,
  },
  {
    what: "a pull that fetches",
    program: "skopeo",
    call: '*" copy "*',
    args: pull,
    signal: "SIGTERM",
    code: 143,
  },
  { what: "a pull that packs", program: "sqfstar", args: pull, signal: "SIGHUP", code: 129 },
  { what: "a build that reads", program: "tar", args: build, signal: "SIGTERM", code: 143 },
  { what: "a build that packs", program: "sqfstar", args: build, signal: "SIGINT", code: 130 },
  {
    what: "a first sandbox of the image debian",
    program: "mmdebstrap",
    args: () => ["create", "--image", "debian"],
    signal: "SIGTERM",
    code: 143,
  },
];

for (const { what, program, call = "*", args, signal, code } of cases) {
  test(`${what} ends with ${code} by ${signal}, and leaves nothing`, { skip }, async (t) => {
    const place = await useTemporaryDirectory(t);
    const at = (name: string): string => join(place, name);
    await craftLayout(at("layout"), { layers: [craftLayer([{ path: "file" }])] });
    await mkdir(at("tree"));
    await writeFile(at("calls"), "");
    // It has a child, which would go on alone.
    const hang = `sleep 600 & printf x >> ${at("calls")}; wait`;
    await usePathPrograms(t, place, {
      [program]: `case " $* " in ${call}) ${hang};; *) ${realProgram(program)};; esac`,
    });
    const { argv, env } = virgaIn(at("home"));
    const child = spawn(argv[0], [...argv.slice(1), ...args(at)], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = endOf(child);
    while ((await readFile(at("calls"), "utf8")) === "" && child.exitCode === null) await sleep(5);
    child.kill(signal);
    const end = await ended;
    assert.deepEqual([end.code, end.stdout], [code, ""], end.stderr);
    assert.match(end.stderr, /^virga: [^\n]+\n$/);
    assert.deepEqual(processesNaming(basename(place), false), []);
    await checkStore(at("home/images"));
  });
}

/** No image, no tag, and nothing half made; but what was fetched is kept for the next pull. */
async function checkStore(images: string): Promise<void> {
  const left = await imagesIn(images);
  assert.deepEqual(
    left.filter((name) => !name.startsWith(".pulling-") && name !== ".debian"),
    [],
  );
  for (const name of ["tags", ".debian"]) {
    assert.deepEqual(await readdir(join(images, name)).catch(() => []), []);
  }
}
