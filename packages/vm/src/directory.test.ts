import assert from "node:assert/strict";
import test from "node:test";
import { socketProblem, vmLayout } from "./directory.ts";

test("an isolated VM sees its files on the fixed path, the root disk under its stable name", () => {
  const layout = vmLayout("/var/lib/virga/vms/a", "api.sock", true);
  assert.equal(layout.host.api, "/var/lib/virga/vms/a/run/api.sock");
  assert.equal(layout.inside.api, "/run/virga/vm/api.sock");
  assert.equal(layout.inside.disk("rootfs"), "/run/virga/vm/rootfs.ext4");
  assert.equal(layout.inside.disk("data"), "/run/virga/vm/disks/data");
  const plain = vmLayout("/x", "api.sock", false);
  assert.deepEqual(plain.inside, plain.host);
});

test("socket paths must fit, their longest suffix included", () => {
  const longest = `/${"d".repeat(107 - "/run/v.sock_4294967295".length - 1)}`;
  assert.equal(socketProblem(longest, "api.sock"), undefined);
  assert.deepEqual(socketProblem(`${longest}de`, "api.sock"), {
    path: "vmDirectory",
    value: `${longest}de`,
    allowed:
      "a directory whose path is shorter by 2: a socket in it would have a path of 109 bytes, at most 107 are possible",
  });
  assert.notEqual(socketProblem(longest, "s".repeat(32)), undefined, "a control socket's own name");
});
