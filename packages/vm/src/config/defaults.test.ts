import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { applyDefaults, findHypervisor } from "./defaults.ts";

const context = { directory: "/vms", isolated: true };

test("the seed's defaults: 1 vcpu, 512 MiB, tap0, on-demand with a balloon", () => {
  const config = applyDefaults(
    {
      sandboxId: "a",
      binary: "/b",
      kernel: "/k",
      networkNamespace: "ns1",
      network: { mac: "02:00:00:00:00:01" },
    },
    context,
  );
  assert.equal(config.vcpus, 1);
  assert.equal(config.memoryMib, 512);
  assert.equal(config.network?.tap, "tap0");
  assert.equal(config.networkNamespace, "/run/netns/ns1");
  assert.equal(config.hypervisor, "cloud-hypervisor");
  assert.equal(config.restoreMode, "on-demand");
  assert.equal(config.balloon, true);
  assert.equal(config.vmDirectory, "/vms/a");
  assert.equal(config.timeouts.launchMs, 5_000);
});

test("a card on a socket has no TAP device", () => {
  const network = { mac: "02:00:00:00:00:01", socket: "/run/net.sock" };
  const config = applyDefaults({ sandboxId: "a", binary: "/b", network }, context);
  assert.deepEqual(config.network, network);
});

test("a VM without a namespace gets a new one where that is possible", () => {
  const config = { sandboxId: "a", binary: "/b" };
  assert.equal(applyDefaults(config, context).networkNamespace, "new");
  assert.equal(applyDefaults(config, { ...context, isolated: false }).networkNamespace, "none");
});

test("no balloon where memory is shared, nor on QEMU", () => {
  const config = { sandboxId: "a", binary: "/b" };
  assert.equal(applyDefaults({ ...config, restoreMode: "shared" }, context).balloon, false);
  assert.equal(applyDefaults({ ...config, memoryForm: "file" }, context).balloon, false);
  assert.equal(applyDefaults({ ...config, hypervisor: "qemu" }, context).balloon, false);
});

test("the root disk comes first", () => {
  const config = applyDefaults(
    {
      sandboxId: "a",
      binary: "/b",
      rootfs: { path: "/r" },
      disks: [{ id: "x", path: "/x", readonly: true }],
    },
    context,
  );
  assert.deepEqual(
    config.disks.map((disk) => [disk.id, disk.readonly]),
    [
      ["rootfs", false],
      ["x", true],
    ],
  );
});

test("a hypervisor is looked up by its variable, then on PATH, else missing with a hint", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-path-"));
  const saved = { path: process.env["PATH"], named: process.env["VIRGA_QEMU"] };
  t.after(async () => {
    process.env["PATH"] = saved.path;
    if (saved.named === undefined) delete process.env["VIRGA_QEMU"];
    else process.env["VIRGA_QEMU"] = saved.named;
    await rm(directory, { recursive: true });
  });
  delete process.env["VIRGA_QEMU"];
  process.env["PATH"] = directory;
  assert.throws(() => findHypervisor("qemu"), { code: "HYPERVISOR_MISSING", hint: /VIRGA_QEMU/u });
  const binary = join(directory, "qemu-system-x86_64");
  await writeFile(binary, "");
  assert.throws(() => findHypervisor("qemu"), { code: "HYPERVISOR_MISSING" });
  await chmod(binary, 0o755);
  assert.equal(findHypervisor("qemu"), binary);
  process.env["VIRGA_QEMU"] = "/elsewhere";
  assert.equal(findHypervisor("qemu"), "/elsewhere");
  process.env["VIRGA_QEMU"] = "build/qemu";
  assert.equal(findHypervisor("qemu"), join(process.cwd(), "build/qemu"));
});
