import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { test } from "node:test";

test("the lab's machine is the one that was asked for", () => {
  assert.equal(process.env["VIRGA_LAB"], "1");
  assert.match(process.env["VIRGA_LAB_DRIVER"] ?? "", /^(?:cloud-hypervisor|qemu)$/);
  assert.match(release(), process.env["VIRGA_LAB_KERNEL"] === "stock" ? /^6\.1\./ : /^6\.12\./);
});

test("the lab has what VM tests need", () => {
  for (const device of ["/dev/kvm", "/dev/net/tun", "/dev/vhost-vsock"]) {
    closeSync(openSync(device, "r+"));
  }
  const controllers = readFileSync("/sys/fs/cgroup/cgroup.controllers", "utf8").trim().split(" ");
  for (const name of ["cpu", "memory", "pids", "io"]) assert.ok(controllers.includes(name), name);
});
