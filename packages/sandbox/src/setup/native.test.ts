import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { prerequisite, useTemporaryDirectory } from "@virga/testkit";
import { VirgaError } from "@virga/vm";
import { buildsNative, ensureNative, isNativeReady, nativeSources } from "./native.ts";

const noCompiler =
  spawnSync("musl-gcc", ["--version"]).status === 0 ? undefined : "musl-gcc is not installed";

test("a published package's own programs are used", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const sources = { carried: join(directory, "carried"), checkout: join(directory, "gone") };
  const options = { names: ["agent"], outDir: join(directory, "out"), sources };
  assert.equal(await isNativeReady(options), false);
  await assert.rejects(
    ensureNative(options),
    (error) =>
      error instanceof VirgaError &&
      error.code === "SETUP_FAILED" &&
      error.message.includes(`carries none for ${process.arch}`),
  );
  await mkdir(sources.carried);
  await writeFile(join(sources.carried, "virga-agent"), "", { mode: 0o755 });
  assert.equal(await isNativeReady(options), true);
  assert.deepEqual(await ensureNative(options), { agent: join(sources.carried, "virga-agent") });
});

test(
  "a checkout's programs are built, before the carried ones",
  { skip: prerequisite("compiler", noCompiler) },
  async (t) => {
    const directory = await useTemporaryDirectory(t);
    const sources = { carried: join(directory, "carried"), checkout: join(directory, "native") };
    const options = { names: ["agent"], outDir: join(directory, "out"), sources };
    await mkdir(join(sources.checkout, "agent"), { recursive: true });
    await writeFile(join(sources.checkout, "agent/main.c"), "int main(void) { return 3; }\n");
    assert.equal(await buildsNative(sources), true);
    assert.equal(await isNativeReady(options), false);
    const { agent } = await ensureNative(options);
    assert.ok(agent !== undefined && agent.startsWith(options.outDir));
    assert.equal(spawnSync(agent).status, 3);
    assert.equal(await isNativeReady(options), true);
    await writeFile(join(sources.checkout, "agent/main.c"), "int main(void) { broken }\n");
    assert.equal(await isNativeReady(options), false);
    await assert.rejects(
      ensureNative(options),
      (error) =>
        error instanceof VirgaError &&
        error.code === "SETUP_FAILED" &&
        /Cannot build agent/.test(error.message),
    );
  },
);

test("this checkout is found", async () => {
  assert.equal(await buildsNative(nativeSources()), true);
});
