import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { imageToolsMissing, useTemporaryDirectory } from "@virga/testkit";
import { virgaCommand } from "@virga/vm";
import { virgaIn } from "./test-virga.ts";

const skip = imageToolsMissing("sqfstar", "mke2fs", "skopeo");

function runIn(home: string, ...args: readonly string[]) {
  const { argv, env } = virgaIn(home);
  const end = spawnSync(argv[0], [...argv.slice(1), ...args], { encoding: "utf8", env });
  return { code: end.status, stdout: end.stdout, stderr: end.stderr };
}

function imageIn(home: string, ...args: readonly string[]) {
  return runIn(home, "image", ...args);
}

test(
  "an image is built, listed, told of and removed from the command line",
  { skip },
  async (t) => {
    const scratch = await useTemporaryDirectory(t);
    const home = join(scratch, "home");
    const tree = join(scratch, "tree");
    await mkdir(tree);
    await writeFile(join(tree, "serve"), "#!/bin/sh\n", { mode: 0o755 });
    assert.deepEqual(imageIn(home, "ls", "--json"), { code: 0, stdout: "[]\n", stderr: "" });
    assert.ok(!existsSync(home), "nothing was made");

    const options = ["--from", tree, "-u", "1000", "-w", "/srv", "-e", "PORT=80"];
    const built = imageIn(home, "build", ...options, "web:1", "--", "/serve", "--all");
    assert.deepEqual([built.code, built.stderr], [0, ""]);
    const digest = built.stdout.trim();
    assert.match(digest, /^sha256:[0-9a-f]{64}$/);
    const bare = imageIn(home, "build", "--from", tree, "bare");
    assert.equal(bare.code, 0, bare.stderr);
    const ran = runIn(home, "run", "--image", "bare");
    assert.deepEqual(
      [ran.code, ran.stderr],
      [
        2,
        "virga: Cannot run: the image bare has no command of its own; name one behind the options\n",
      ],
    );
    assert.equal(imageIn(home, "rm", "bare").code, 0);

    const again = imageIn(home, "build", ...options, "--json", "web", "--", "/serve", "--all");
    const told = JSON.parse(again.stdout);
    assert.deepEqual([told.built, told.digest, told.names], [false, digest, ["web", "web:1"]]);

    const [listed, ...others] = JSON.parse(imageIn(home, "ls", "--json").stdout);
    assert.deepEqual(others, []);
    const { createdAt, bytes, base, ...facts } = listed;
    assert.deepEqual(facts, {
      names: ["web", "web:1"],
      digest,
      source: `directory ${tree}`,
      user: "1000",
      workdir: "/srv",
      environment: { PORT: "80" },
      command: ["/serve", "--all"],
    });
    assert.ok(!Number.isNaN(Date.parse(createdAt)) && bytes > 0 && existsSync(base));
    assert.deepEqual(
      JSON.parse(imageIn(home, "info", "--json", digest.slice(7, 19)).stdout),
      listed,
    );
    assert.match(imageIn(home, "info", "web").stdout, /^workdir +\/srv$/m);
    const table = imageIn(home, "ls").stdout;
    assert.match(table, /^NAME +DIGEST +SIZE +CREATED +SOURCE\nweb, web:1 +[0-9a-f]{12} +1 MiB/);
    assert.match(table, /^busybox +- +- +- +built in$/m);

    assert.deepEqual(imageIn(home, "rm", "web"), { code: 0, stdout: "web\n", stderr: "" });
    const removed = JSON.parse(imageIn(home, "rm", "--json", "web:1").stdout);
    assert.deepEqual(removed, [{ digest, names: ["web:1"], removed: true }]);
    assert.ok(!existsSync(base));
  },
);

test(
  "wrong usage of image ends with 2, what is not there with 125 and what to do",
  { skip },
  async (t) => {
    const home = join(await useTemporaryDirectory(t), "home");
    for (const args of [
      ["build", "x"],
      ["build", "--from"],
      ["rm"],
      ["pull"],
      ["bild"],
      ["ls", "--jsn"],
    ]) {
      const { code, stderr } = imageIn(home, ...args);
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, /^virga: /);
    }
    assert.deepEqual(imageIn(home, "rm", "x"), {
      code: 125,
      stdout: "",
      stderr: `virga: There is no image "x"\nvirga: See: ${virgaCommand("image ls")}\n`,
    });
    assert.match(imageIn(home, "info", "x").stderr, /There is no image "x"/);
    // The list shows them all the same.
    assert.match(
      imageIn(home, "rm", "busybox").stderr,
      /"busybox" is built in: .*cannot be removed$/m,
    );
    assert.match(imageIn(home, "info", "debian").stderr, /"debian" was not made yet\n.*first used/);
    for (const [reference, message] of [
      ["oci:/no/such", /^virga: Cannot find such: .*no such file/],
      ["http://x", /^virga: "http:\/\/x" is not an image: /],
    ] as const) {
      const pulled = imageIn(home, "pull", reference);
      assert.equal(pulled.code, 125);
      assert.match(pulled.stderr, message);
    }
    const absent = imageIn(home, "build", "x", "--from", "/no/such");
    assert.deepEqual(
      [absent.code, absent.stderr],
      [125, "virga: Cannot read /no/such: it does not exist\n"],
    );
  },
);
