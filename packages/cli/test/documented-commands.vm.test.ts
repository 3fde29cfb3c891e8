import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import {
  imageToolsMissing,
  makePlace,
  pythonMissing,
  pythonTree,
  qemuMissing,
  removePlace,
  settledLeaks,
} from "@virga/testkit";
import { currentBusybox, homePaths } from "@virga/sandbox";
import { linesOf, pagesForUsers } from "./documented-commands.ts";
import { endOf, testVirga } from "./test-virga.ts";
import type { TestVirga } from "./test-virga.ts";

/** What each line writes, page by page, in the order of the pages. */
const EXPECTED: Readonly<Record<string, readonly (readonly [line: string, output: RegExp])[]>> = {
  "docs/images.md": [
    ["virga image build tools --from ./rootfs", /^sha256:\w{64}\n$/],
    [
      "virga image build web --from rootfs.tar.zst -w /srv -e PORT=80 -- /srv/serve",
      /^sha256:\w{64}\n$/,
    ],
    ["virga run --image tools -- /bin/tool", /^the tool ran\n$/],
    ["virga image ls", /^web +\w{12} [^]*^debian, tools +\w{12} /m],
    ["virga image info tools", /^names +\["debian","tools"\]$/m],
  ],
  "docs/command-line.md": [
    ["virga create --name web --image debian", /^i\w{19}\n$/],
    ["virga exec web -- python3 --version", /^Python 3\.\d+/],
    ["virga shell web", /^typed in sh\n$/],
    ["echo hello | virga cp - web:/srv/index.html", /^$/],
    ["virga cp web:/srv ./copy", /^$/],
    ["virga ls", /^web +\w{8} +running +debian /m],
    ["virga info web", /^create took +/m],
    ["virga stats web", /^memory +\d+ MiB of \d+ MiB available$/m],
    ["virga logs web", /^/],
    ["virga rm web", /^web\n$/],
  ],
};

const skip = qemuMissing() || imageToolsMissing("sqfstar", "mke2fs", "tar") || pythonMissing();

describe("the command lines of the pages, typed one after the other", { skip }, () => {
  const place = makePlace();
  let virga: TestVirga;
  let env: NodeJS.ProcessEnv;
  const work = join(place.scratch, "work");

  before(async () => {
    virga = await testVirga(place);
    await makeRootfs(join(work, "rootfs"));
    const tar = spawnSync("tar", ["-c", "-C", join(work, "rootfs"), "."], {
      maxBuffer: 2 ** 30,
    });
    assert.equal(tar.status, 0, String(tar.stderr));
    writeFileSync(join(work, "rootfs.tar.zst"), zstdCompressSync(tar.stdout));
    const bin = join(place.scratch, "bin");
    mkdirSync(bin);
    const words = virga.argv.map((word) => `'${word}'`).join(" ");
    writeFileSync(join(bin, "virga"), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
    env = { ...virga.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` };
    // The real one is made of packages; this one holds what the pages use of it.
    await type("virga image build debian --from rootfs");
  });

  after(() => removePlace(place));

  /** Runs the line in a shell, which must go well without a word on standard error, and gives its output. */
  async function type(line: string, input = ""): Promise<string> {
    const child = spawn("sh", ["-c", line], { cwd: work, env, stdio: "pipe" });
    child.stdin.on("error", () => undefined).end(input);
    const { code, stdout, stderr } = await endOf(child);
    assert.deepEqual([code, stderr], [0, ""], line);
    return stdout;
  }

  for (const [page, expected] of Object.entries(EXPECTED)) {
    test(page, async () => {
      for (const [line, output] of expected) {
        // What a reader types into the shell that the line opens.
        assert.match(
          await type(line.replace(/ +# .*$/u, ""), 'echo "typed in $0"\n'),
          output,
          line,
        );
      }
      assert.deepEqual(await virga.leftovers(), []);
      assert.deepEqual(await settledLeaks(place), []);
    });
  }

  test("a page's tree came back as it went in, and no page shows a line that is not run", async () => {
    assert.equal(readFileSync(join(work, "copy/index.html"), "utf8"), "hello\n");
    const shown: Record<string, string[]> = {};
    for (const [page, text] of await pagesForUsers()) {
      for (const { line, isRun } of linesOf(page, text)) {
        // The two of the README are how these tests are run.
        if (isRun && page !== "README.md") (shown[page] ??= []).push(line.replace(/ +# .*$/u, ""));
      }
    }
    const run = Object.entries(EXPECTED).map(([page, lines]) => [
      page,
      lines.map(([line]) => line),
    ]);
    assert.deepEqual(shown, Object.fromEntries(run));
  });
});

/** The root file system of an image with a shell, python3 and a program of its own. */
async function makeRootfs(directory: string): Promise<void> {
  pythonTree(directory);
  for (const name of ["bin", "etc", "srv"]) mkdirSync(join(directory, name), { recursive: true });
  const busybox = await currentBusybox(homePaths().busybox);
  assert.ok(busybox !== undefined, "set-up gave no busybox");
  copyFileSync(busybox, join(directory, "bin/busybox"));
  for (const name of ["sh", "echo"]) symlinkSync("busybox", join(directory, "bin", name));
  writeFileSync(join(directory, "etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  writeFileSync(join(directory, "bin/tool"), "#!/bin/sh\necho the tool ran\n", { mode: 0o755 });
}
