import assert from "node:assert/strict";
import { test } from "node:test";
import { withImageDefaults } from "./image-defaults.ts";

const image = { user: "1000:50", workdir: "/srv" };

test("a command starts as the image's user in the image's directory", () => {
  assert.deepEqual(withImageDefaults(image, {}), { user: "1000:50", cwd: "/srv" });
  assert.deepEqual(withImageDefaults({ user: "", workdir: "/" }, { stdin: true }), { stdin: true });
});

test("what the options name goes before, and a login shell finds its own directory", () => {
  const options = { user: "root", cwd: "/" };
  assert.deepEqual(withImageDefaults(image, options), options);
  assert.deepEqual(withImageDefaults(image, { login: true }), { user: "1000:50", login: true });
});
