import assert from "node:assert/strict";
import { test } from "node:test";
import { checkImageName, isImageDigest } from "./image-name.ts";

test("names are those of container images, and never a path or a digest", () => {
  for (const name of ["a", "python:3.12-slim", "localhost:5000/a/b_c@sha256", "X1"]) {
    checkImageName(name, ["busybox"]);
  }
  const digest = `sha256:${"0".repeat(64)}`;
  assert.ok(isImageDigest(digest));
  for (const name of ["", ".x", "../x", "/x", "a b", "a\0", "é", digest, "a".repeat(201)]) {
    assert.throws(() => checkImageName(name, []), { code: "INVALID_ARGUMENT" }, name);
  }
  // As a file's name it would be too long.
  assert.throws(() => checkImageName(`a${"/a".repeat(90)}`, []), { code: "INVALID_ARGUMENT" });
  assert.throws(() => checkImageName("busybox", ["busybox"]), {
    message: 'Cannot name an image "busybox": an image of this name is built in',
  });
});
