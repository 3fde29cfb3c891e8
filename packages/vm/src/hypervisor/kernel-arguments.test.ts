import assert from "node:assert/strict";
import { test } from "node:test";
import { VirgaError } from "../errors.ts";
import { kernelArguments } from "./kernel-arguments.ts";

const bare = {
  disks: [],
  initramfs: undefined,
  initPath: undefined,
  network: undefined,
  kernelArguments: [],
};
const rootfs = { id: "rootfs", path: "/images/root.ext4", readonly: false };

test("a root disk without an initramfs is named to the kernel", () => {
  assert.equal(
    kernelArguments({ ...bare, disks: [rootfs] }, ["console=hvc0"]),
    "console=hvc0 root=/dev/vda rw",
  );
  assert.equal(
    kernelArguments({ ...bare, disks: [{ ...rootfs, readonly: true }] }, []),
    "root=/dev/vda ro",
  );
});

test("an initramfs mounts the root disk itself", () => {
  assert.equal(kernelArguments({ ...bare, disks: [rootfs], initramfs: "/initrd" }, []), "");
});

test("a first disk that is no root disk is not made one", () => {
  assert.equal(kernelArguments({ ...bare, disks: [{ ...rootfs, id: "data" }] }, []), "");
});

test("init, address and the user's words follow in this order", () => {
  const network = {
    tap: "tap0",
    mac: "02:00:00:00:00:01",
    guestAddress: "10.0.0.2",
    gateway: "10.0.0.1",
    mask: "255.255.255.0",
  };
  assert.equal(
    kernelArguments(
      { ...bare, initPath: "/sbin/agent", network, kernelArguments: ["quiet", "panic=-1"] },
      ["console=hvc0"],
    ),
    "console=hvc0 init=/sbin/agent ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0:off quiet panic=-1",
  );
});

test("an address without gateway or mask is left to the guest", () => {
  const network = { tap: "tap0", mac: "02:00:00:00:00:01", guestAddress: "10.0.0.2" };
  assert.equal(kernelArguments({ ...bare, network }, []), "");
});

test("words that would cut the line are refused", () => {
  for (const word of ["", "a\nb", "a\u0000b"]) {
    assert.throws(
      () => kernelArguments({ ...bare, kernelArguments: [word] }, []),
      (error) => error instanceof VirgaError && error.code === "INVALID_CONFIG",
    );
  }
});

test("a line longer than the kernel reads is refused", () => {
  const fits = "x".repeat(2047);
  assert.equal(kernelArguments({ ...bare, kernelArguments: [fits] }, []).length, 2047);
  assert.throws(
    () => kernelArguments({ ...bare, kernelArguments: [`${fits}x`] }, []),
    /2048 bytes long/,
  );
});
