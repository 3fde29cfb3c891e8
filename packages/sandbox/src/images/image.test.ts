import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { tryLock } from "@virga/vm";
import { findImage, keepImage } from "./image.ts";
import { DEFAULT_IMAGE } from "./own-images.ts";
import { imagePaths } from "./image-paths.ts";
import { ImageStore } from "./image-store.ts";
import { storeWith } from "../../test/image-stores.ts";

test("the default image is built in and has no disk", async () => {
  const image = await findImage(DEFAULT_IMAGE, "/no/such/store");
  assert.equal(image.disk, undefined);
  assert.match(image.environment["PATH"] ?? "", /(?:^|:)\/bin$/);
  (await keepImage(image, "/no/such/store"))();
});

test("an unknown image is refused with the names there are", async (t) => {
  const unknown = (names: string): object => ({
    code: "NOT_FOUND",
    message: `Unknown image "nothing": there is ${names}`,
  });
  await assert.rejects(findImage("nothing", "/no/such/store"), unknown("busybox, debian"));
  const { directory } = await storeWith(t, "tools");
  await assert.rejects(findImage("nothing", directory), unknown("busybox, debian, tools"));
});

test("a stored image is found by its name and its digest, and depends on its very file", async (t) => {
  const { directory, digest } = await storeWith(t, "tools");
  const image = await findImage("tools", directory);
  assert.equal(image.digest, digest);
  assert.equal(image.disk, join(directory, digest.slice(7), "base.squashfs"));
  assert.ok(image.identity.startsWith(`${digest} `) && image.identity.length > digest.length + 64);
  assert.equal((await findImage(digest, directory)).disk, image.disk);
});

test("an image that was removed after it was found cannot be kept", async (t) => {
  const { directory, store } = await storeWith(t, "tools");
  const image = await findImage("tools", directory);
  const release = await keepImage(image, directory);
  await assert.rejects(store.remove("tools"), { code: "IN_USE" });
  release();
  await store.remove("tools");
  await assert.rejects(keepImage(image, directory), { code: "NOT_FOUND" });
});

test("an image that another process has for itself for a moment is waited for", async (t) => {
  const { directory, digest } = await storeWith(t, "tools");
  const image = await findImage("tools", directory);
  // As one that sweeps the store has it.
  const other = tryLock(imagePaths(directory, digest).lock);
  assert.ok(other);
  const uses = t.mock.method(ImageStore.prototype, "use").mock;
  const keeping = keepImage(image, directory);
  while (uses.callCount() === 0) await new Promise(setImmediate);
  other.release();
  (await keeping)();
  assert.ok(uses.callCount() > 1);
});
