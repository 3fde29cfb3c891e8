import assert from "node:assert/strict";
import { test } from "node:test";
import { VirgaError } from "@virga/vm";
import { DEFAULT_IMAGE, findImage } from "./image.ts";

test("the default image is built in and has no disk", () => {
  const image = findImage(DEFAULT_IMAGE);
  assert.equal(image.disk, undefined);
  assert.match(image.environment["PATH"] ?? "", /(?:^|:)\/bin$/);
});

test("an unknown image is refused with the names there are", () => {
  assert.throws(
    () => findImage("debian"),
    (error) =>
      error instanceof VirgaError &&
      error.code === "NOT_FOUND" &&
      error.message === 'Unknown image "debian": there is busybox',
  );
});
