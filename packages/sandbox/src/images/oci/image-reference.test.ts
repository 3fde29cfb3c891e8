import assert from "node:assert/strict";
import { test } from "node:test";
import { parseReference } from "./image-reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

test("a name is a registry's, and is pinned to a digest without its tag", () => {
  for (const [text, name, pinned, isLoopback] of [
    ["debian:12", "debian:12", "docker://debian", false],
    ["docker://ghcr.io/a/b_c:v1.0", "ghcr.io/a/b_c:v1.0", "docker://ghcr.io/a/b_c", false],
    ["localhost:5000/x", "localhost:5000/x", "docker://localhost:5000/x", true],
    ["127.0.0.1:5000/x/y:tag", "127.0.0.1:5000/x/y:tag", "docker://127.0.0.1:5000/x/y", true],
    [`debian@${digest}`, `debian@${digest}`, "docker://debian", false],
    [
      "localhost.example.org/x",
      "localhost.example.org/x",
      "docker://localhost.example.org/x",
      false,
    ],
  ] as const) {
    const reference = parseReference(text, "/cwd");
    assert.equal(reference.source, `docker://${name}`);
    assert.equal(reference.name, name);
    assert.equal(reference.pinned(digest), `${pinned}@${digest}`, text);
    assert.equal(reference.isLoopback, isLoopback, text);
  }
});

test("files count from the directory, and give their names", () => {
  for (const [text, source, name] of [
    ["oci:layout", "oci:/cwd/layout", "layout"],
    ["oci:/a/layout:v1", "oci:/a/layout:v1", "layout:v1"],
    ["docker-archive:x.tar", "docker-archive:/cwd/x.tar", "x"],
    ["docker-archive:../x.tar:team/app:2", "docker-archive:/x.tar:team/app:2", "team/app:2"],
    ["oci-archive:x.tar", "oci-archive:/cwd/x.tar", "x"],
  ] as const) {
    const reference = parseReference(text, "/cwd");
    assert.deepEqual([reference.source, reference.name], [source, name]);
    assert.equal(reference.pinned(digest), undefined);
  }
});

test("a directory with a colon in its name is refused where it becomes part of the path", () => {
  assert.throws(() => parseReference("oci:layout", "/a:b"), {
    code: "INVALID_ARGUMENT",
    message: /\/a:b\/layout, whose colon/,
  });
  assert.equal(parseReference("oci:/layout", "/a:b").source, "oci:/layout");
  assert.equal(parseReference("debian:12", "/a:b").source, "docker://debian:12");
});

test("other transports and what could be an option are refused", () => {
  for (const text of [
    "",
    "-v",
    "--help",
    "dir:/x",
    "http://x",
    "a b",
    "oci:",
    "docker://",
    "x\n",
  ]) {
    assert.throws(
      () => parseReference(text, "/"),
      { code: "INVALID_ARGUMENT" },
      JSON.stringify(text),
    );
  }
});
