import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import {
  dockerRegistryMissing,
  imageToolsMissing,
  realProgram,
  usePathPrograms,
  useTemporaryDirectory,
} from "@virga/testkit";
import { ImageStore } from "../src/images/image-store.ts";
import { pullImage } from "../src/images/pull-image.ts";
import { craftLayer, craftLayout } from "./container-images.ts";
import type { CraftedImage } from "./container-images.ts";
import { imagesIn } from "./image-stores.ts";
import { REGISTRY_USER, startRegistry } from "./registry.ts";

const image: CraftedImage = {
  layers: [
    craftLayer([
      { path: "bin", type: "directory" },
      { path: "bin/su", mode: 0o4755, content: "old" },
      { path: "bin/gone" },
      { path: "big", content: "x".repeat(100_000) },
    ]),
    craftLayer([{ path: "bin/.wh.gone" }, { path: "home/u/file", uid: 1000, gid: 1000 }]),
    craftLayer([{ path: "bin/same", type: "link", target: "bin/su" }]),
  ],
  config: {
    User: "1000:1000",
    WorkingDir: "/home/u/work",
    Env: ["PATH=/bin", "EMPTY=", "A=b=c"],
    Entrypoint: ["/bin/su"],
    Cmd: ["-", "x"],
  },
};

async function place(t: TestContext): Promise<{ at: (name: string) => string; directory: string }> {
  const root = await useTemporaryDirectory(t);
  return { at: (name) => join(root, name), directory: join(root, "images") };
}

function namesIn(base: string): string[] {
  const text = execFileSync("unsquashfs", ["-lln", base], { encoding: "utf8" });
  return text
    .trim()
    .split("\n")
    .map((line) => line.replace(/^(\S+) +(\S+) .* squashfs-root/u, "$1 $2 "));
}

/** Sets variables of this process until the test ends. */
function useVariables(t: TestContext, variables: Readonly<Record<string, string>>): void {
  const before = { ...process.env };
  Object.assign(process.env, variables);
  t.after(() => {
    for (const name of Object.keys(variables)) {
      const value = before[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
}

const skopeo = (...args: readonly string[]): void => {
  execFileSync("skopeo", ["--insecure-policy", ...args], { stdio: "pipe" });
};

describe("pulling", { skip: imageToolsMissing("skopeo", "sqfstar", "unsquashfs") }, () => {
  test("an OCI layout becomes an image with its manifest's digest and its settings, once", async (t) => {
    const { at, directory } = await place(t);
    const { manifestDigest } = await craftLayout(at("layout"), image);
    const messages: string[] = [];
    const pulled = await pullImage({
      directory,
      reference: `oci:${at("layout")}`,
      onProgress: (message) => messages.push(message),
    });
    const { digest, source, user, workdir, environment, command } = pulled.record;
    assert.deepEqual(
      { built: pulled.built, digest, source, user, workdir, environment, command },
      {
        built: true,
        digest: manifestDigest,
        source: `oci:${at("layout")}`,
        user: "1000:1000",
        workdir: "/home/u/work",
        environment: { PATH: "/bin", EMPTY: "", A: "b=c" },
        command: ["/bin/su", "-", "x"],
      },
    );
    assert.deepEqual(namesIn(pulled.base), [
      "drwxr-xr-x 0/0 ",
      "-rw-r--r-- 0/0 /big",
      "drwxr-xr-x 0/0 /bin",
      "-rwsr-xr-x 0/0 /bin/same",
      "-rwsr-xr-x 0/0 /bin/su",
      "drwxr-xr-x 0/0 /home",
      "drwxr-xr-x 0/0 /home/u",
      "-rw-r--r-- 1000/1000 /home/u/file",
      "drwxr-xr-x 0/0 /home/u/work",
    ]);
    assert.ok(messages.includes("Unpacking layer 3 of 3: 0 MiB"), messages.join("; "));
    assert.deepEqual(await imagesIn(directory), [digest.slice(7)]);
    const again = { directory, reference: `oci:${at("layout")}`, name: "again" };
    assert.equal((await pullImage(again)).built, false);
    const [listed] = await new ImageStore({ directory }).list();
    assert.deepEqual(listed?.names, ["again", "layout"]);
  });

  test("archives and other compressions give the same content", async (t) => {
    const { at, directory } = await place(t);
    await craftLayout(at("zstd"), { ...image, compression: "zstd" });
    await craftLayout(at("gzip"), image);
    skopeo("copy", "-q", `oci:${at("gzip")}`, `docker-archive:${at("archive.tar")}:team/app:2`);
    const contents = new Set<string>();
    for (const reference of [`oci:${at("zstd")}`, `docker-archive:${at("archive.tar")}`]) {
      const pulled = await pullImage({ directory, reference });
      contents.add(namesIn(pulled.base).join("\n"));
      assert.equal(pulled.record.workdir, "/home/u/work");
    }
    assert.equal(contents.size, 1);
  });

  test("a layer or configuration that is not what its digest says is refused, and nothing is left of it", async (t) => {
    const { at, directory } = await place(t);
    const { layerPaths } = await craftLayout(at("layout"), image);
    const layer = layerPaths[1] ?? "";
    const good = await readFile(layer);
    for (const bytes of [
      Buffer.concat([good, Buffer.from("x")]),
      good.subarray(1),
      Buffer.alloc(0),
    ]) {
      await writeFile(layer, bytes);
      await assert.rejects(pullImage({ directory, reference: `oci:${at("layout")}` }), {
        code: "IO_ERROR",
      });
      assert.deepEqual(await new ImageStore({ directory }).list(), []);
    }
    await writeFile(layer, good);
    assert.equal((await pullImage({ directory, reference: `oci:${at("layout")}` })).built, true);
  });

  test("an interrupted pull leaves no image, and what it had fetched serves the next one", async (t) => {
    const { at, directory } = await place(t);
    const { manifestDigest, layerPaths } = await craftLayout(at("layout"), image);
    const abort = new AbortController();
    const pulling = pullImage({
      directory,
      reference: `oci:${at("layout")}`,
      signal: abort.signal,
      onProgress: (message) => {
        if (message.startsWith("Unpacking layer 2")) abort.abort();
      },
    });
    await assert.rejects(pulling, { code: "ABORTED" });
    assert.deepEqual(await imagesIn(directory), [`.pulling-${manifestDigest.slice(7)}`]);
    // They need not be there any more.
    for (const layer of layerPaths) await rm(layer);
    const pulled = await pullImage({ directory, reference: `oci:${at("layout")}` });
    assert.equal(pulled.built, true);
    assert.deepEqual(await imagesIn(directory), [manifestDigest.slice(7)]);
  });

  test("what has come so far is told while it is fetched", async (t) => {
    const { at, directory } = await place(t);
    await craftLayout(at("layout"), image);
    // It has fetched 3 MiB, and goes on when that was told.
    const fetching = `for last; do :; done; to=\${last#oci:}; to=\${to%:image}
      head -c 3145728 /dev/zero > "$to/part"; until [ -e ${at("told")} ]; do sleep 0.02; done; rm "$to/part"`;
    const skopeoScript = `case " $* " in *" copy "*) ${fetching};; esac; ${realProgram("skopeo")}`;
    await usePathPrograms(t, at("."), { skopeo: skopeoScript });
    const onProgress = (message: string): void => {
      if (message === "Pulling layout: 3 MiB") writeFileSync(at("told"), "");
    };
    await pullImage({ directory, reference: `oci:${at("layout")}`, onProgress });
    assert.ok(existsSync(at("told")));
  });

  test("what cannot be found is told in skopeo's words", async (t) => {
    const { at, directory } = await place(t);
    await assert.rejects(pullImage({ directory, reference: `oci:${at("absent")}` }), {
      code: "IO_ERROR",
      message: /^Cannot find absent: .*absent.*no such file or directory/s,
    });
    await usePathPrograms(t, at("."), { skopeo: "echo plain words >&2; exit 1" });
    await assert.rejects(pullImage({ directory, reference: "debian" }), {
      code: "IO_ERROR",
      message: /^Cannot find debian: .*plain words/s,
    });
  });
});

const registrySkip = imageToolsMissing("skopeo", "sqfstar") || (await dockerRegistryMissing());

describe("pulling from a registry", { skip: registrySkip }, () => {
  test("an image comes by its tag and by its digest, and is fetched once", async (t) => {
    const { at, directory } = await place(t);
    const address = await startRegistry(t, at("registry"));
    const { manifestDigest } = await craftLayout(at("layout"), image);
    const name = `${address}/team/app`;
    skopeo("copy", "-q", "--dest-tls-verify=false", `oci:${at("layout")}`, `docker://${name}:2`);
    const pulled = await pullImage({ directory, reference: `${name}:2` });
    assert.equal(pulled.record.digest, manifestDigest);
    assert.equal(pulled.record.source, `docker://${name}:2`);
    const again = await pullImage({ directory, reference: `docker://${name}@${manifestDigest}` });
    assert.equal(again.built, false);
    const [listed] = await new ImageStore({ directory }).list();
    assert.deepEqual(listed?.names, [`${name}:2`, `${name}@${manifestDigest}`]);
    await assert.rejects(pullImage({ directory, reference: `${name}:3` }), {
      code: "IO_ERROR",
      message: /manifest unknown/,
    });
  });

  test("a private one lets in who is in the user's auth file", async (t) => {
    const { at, directory } = await place(t);
    const address = await startRegistry(t, at("registry"), { isPrivate: true });
    await craftLayout(at("layout"), image);
    const credentials = Buffer.from(`${REGISTRY_USER}:secret`).toString("base64");
    const authFile = at("auth.json");
    await writeFile(authFile, JSON.stringify({ auths: { [address]: { auth: credentials } } }));
    const target = ["--dest-tls-verify=false", `oci:${at("layout")}`, `docker://${address}/app:1`];
    skopeo("copy", "-q", "--authfile", authFile, ...target);
    await mkdir(at("empty"));
    const variables = { HOME: at("empty"), XDG_RUNTIME_DIR: at("empty"), REGISTRY_AUTH_FILE: "" };
    useVariables(t, variables);
    const reference = `${address}/app:1`;
    await assert.rejects(pullImage({ directory, reference }), {
      code: "IO_ERROR",
      message: /auth/,
    });
    process.env["REGISTRY_AUTH_FILE"] = authFile;
    assert.equal((await pullImage({ directory, reference })).built, true);
  });
});
