import assert from "node:assert/strict";
import { test } from "node:test";
import type { Host } from "@virga/sandbox";
import { Sandbox } from "@virga/sandbox";
import { silentLogger } from "@virga/vm";
import { ImageStore } from "../src/images/image-store.ts";
import type { SandboxOptions } from "../src/life/sandbox-options.ts";
import { buildText, digestOf } from "./image-stores.ts";
import { snapshotRow, testSpec } from "./test-rows.ts";
import { testState } from "./test-vms.ts";

/** The problems of making a sandbox from the snapshot "kept". Where there are none it gets as far as its restore, for which there is no file. */
async function problemsOf(host: Host, options: SandboxOptions): Promise<unknown> {
  const caught: unknown = await Sandbox.create({ ...options, host, snapshot: "kept" }).catch(
    (error: unknown) => error,
  );
  const { code, details } = caught as { readonly code: string; readonly details: object };
  if (code !== "INVALID_CONFIG") return code;
  return (details as { readonly problems: readonly string[] }).problems;
}

test("what is wrong by itself or contradicts the snapshot is told at once, and its image by any name is its image", async (t) => {
  const { home, catalog } = await testState(t);
  const manager = { recoverVm: async () => undefined };
  const host = { home, catalog, manager, logger: silentLogger } as unknown as Host;
  const store = new ImageStore({ directory: home.images });
  const [digest, other] = [digestOf("image"), digestOf("other")];
  for (const name of ["tools", "same"])
    await store.ensure(digest, { name, build: buildText("image") });
  await store.ensure(other, { name: "other", build: buildText("other") });
  const spec = { ...testSpec, image: "tools", imageDigest: digest };
  catalog.snapshots.insert(snapshotRow("kept", { name: "kept", spec }));
  const wrong = { vcpus: 0, memory: 1, image: "other", balloon: true } as SandboxOptions;
  const problems = (await problemsOf(host, wrong)) as readonly string[];
  assert.equal(problems.length, 5, problems.join("; "));
  assert.match(
    problems.join("; "),
    /no option "memory".*vcpus is 0: it is a whole.*image is other, and tools in the snapshot; vcpus is 0, and 1 in.*balloon is true, and false in/u,
  );
  for (const image of ["tools", "same", digest, digest.slice(7, 20)])
    assert.equal(await problemsOf(host, { image }), "SNAPSHOT_INVALID", image);
  // The name stands for another image by now, and then for none.
  await store.ensure(other, { name: "tools", build: () => assert.fail("it is there") });
  assert.match(String(await problemsOf(host, { image: "tools" })), /image is tools/u);
  await store.remove("tools");
  assert.equal(await problemsOf(host, { image: "tools" }), "SNAPSHOT_INVALID");
  assert.match(String(await problemsOf(host, { image: "nothing" })), /image is nothing/u);
});
