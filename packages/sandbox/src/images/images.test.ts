import assert from "node:assert/strict";
import { test } from "node:test";
import { buildText, digestOf } from "../../test/image-stores.ts";
import { idOf, sandboxRow, snapshotRow, testSpec } from "../../test/test-rows.ts";
import { testState } from "../../test/test-vms.ts";
import { ImageStore } from "./image-store.ts";
import { Images } from "./images.ts";

test("an image is not removed while a sandbox or a snapshot of it is there; its other names are", async (t) => {
  const { home, catalog } = await testState(t);
  const store = new ImageStore({ directory: home.images });
  const digest = digestOf("x");
  for (const name of ["tools", "other"])
    await store.ensure(digest, { name, build: buildText("x") });
  const images = new Images({ home });
  const spec = { ...testSpec, imageDigest: digest };
  catalog.sandboxes.insert(sandboxRow("one", { phase: "suspended", name: "web", spec }));
  catalog.snapshots.insert(snapshotRow("two", { spec }));
  assert.deepEqual((await images.remove("other")).names, ["other"]);
  await assert.rejects(images.remove("tools"), {
    code: "IN_USE",
    message: `Cannot remove image ${digest}: it is needed by sandbox web (${idOf("one")}), snapshot ${idOf("two")}`,
  });
  catalog.sandboxes.delete(idOf("one"));
  await assert.rejects(images.remove(digest), { code: "IN_USE" });
  assert.deepEqual((await images.info("tools")).names, ["tools"]);
  catalog.snapshots.delete(idOf("two"));
  assert.deepEqual(await images.remove("tools"), { digest, names: ["tools"], removed: true });
});
