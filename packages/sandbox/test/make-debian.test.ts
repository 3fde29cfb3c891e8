import assert from "node:assert/strict";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  imageToolsMissing,
  mountsMissing,
  usePathPrograms,
  useTemporaryDirectory,
} from "@virga/testkit";
import { ImageStore } from "../src/images/image-store.ts";
import { makeDebian } from "../src/images/make-debian.ts";
import { craftLayer } from "./container-images.ts";

const skip = imageToolsMissing("sqfstar");

test(
  "the image debian is made once, by one of those who ask, and with progress",
  { skip },
  async (t) => {
    const place = await useTemporaryDirectory(t);
    const directory = join(place, "images");
    const at = (name: string): string => join(place, name);
    await mkdir(directory);
    await mkdir(join(directory, ".debian/.partial-killed"), { recursive: true });
    await writeFile(at("root.tar"), craftLayer([{ path: "etc/debian_version", content: "12" }]));
    const script = (end: string): string =>
      `echo "I: downloading" >&2; for last; do :; done; printf "%s\\n" "$*" >> ${at("calls")}; ${end}`;
    await usePathPrograms(t, place, { mmdebstrap: script("echo E: no network >&2; exit 25") });
    await assert.rejects(makeDebian({ directory }), {
      code: "SETUP_FAILED",
      message: /E: no network/,
    });
    assert.equal((await new ImageStore({ directory }).list()).length, 0);
    assert.deepEqual(await readdir(join(directory, ".debian")), []);

    const take = `for word; do case "$word" in */root.tar) cp ${at("root.tar")} "$word";; esac; done`;
    await usePathPrograms(t, join(place), { mmdebstrap: script(take) });
    await writeFile(at("calls"), "");
    const messages: string[] = [];
    const onProgress = (message: string): unknown => messages.push(message);
    const mirror = "http://mirror.invalid/debian";
    await Promise.all([1, 2, 3].map(() => makeDebian({ directory, mirror, onProgress })));
    const [call = "", ...others] = (await readFile(at("calls"), "utf8")).trim().split("\n");
    assert.deepEqual(others, []);
    assert.match(
      call,
      /--include=\S*bash\S* .* bookworm \S+\/root\.tar http:\/\/mirror\.invalid\/debian$/,
    );
    assert.ok(
      messages.includes("Making the image debian (once): downloading"),
      messages.join("; "),
    );
    const [image, ...more] = await new ImageStore({ directory }).list();
    assert.deepEqual(more, []);
    assert.deepEqual(image?.names, ["debian"]);
    const { user, workdir, command, source } = image.record;
    assert.deepEqual([user, workdir, command], ["user", "/home/user", ["/bin/bash"]]);
    assert.equal(source, "packages of Debian 12");
    assert.deepEqual(await readdir(join(directory, ".debian")), []);
  },
);

test(
  "what mmdebstrap mounts is never met by what removes its tree",
  { skip: skip || mountsMissing() },
  async (t) => {
    const place = await useTemporaryDirectory(t);
    const directory = join(place, "images");
    const kept = join(place, "kept");
    await mkdir(directory);
    await mkdir(kept);
    await writeFile(join(kept, "file"), "");
    // It says where it is only when the mount is there.
    const script = `mkdir "$TMPDIR/root" && mount --bind ${kept} "$TMPDIR/root" && echo "I: mounted" && sleep 600`;
    await usePathPrograms(t, place, { mmdebstrap: script });
    const abort = new AbortController();
    const onProgress = (message: string): void => {
      if (message.endsWith("mounted")) abort.abort();
    };
    await assert.rejects(makeDebian({ directory, signal: abort.signal, onProgress }), {
      code: "ABORTED",
    });
    assert.deepEqual(await readdir(kept), ["file"]);
    assert.deepEqual(await readdir(join(directory, ".debian")), []);
    assert.ok(!(await readFile("/proc/self/mountinfo", "utf8")).includes(place));
  },
);
