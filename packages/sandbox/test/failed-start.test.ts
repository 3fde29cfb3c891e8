import assert from "node:assert/strict";
import { test } from "node:test";
import { homePaths, openHome } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import { useTemporaryDirectory } from "@virga/testkit";
import { VirgaError, silentLogger } from "@virga/vm";
import type { Vm, VmConfig } from "@virga/vm";
import { Catalog } from "../src/catalog/catalog.ts";
import { Sandbox } from "../src/sandbox.ts";

test("a VM that did not boot and cannot be destroyed stays owned, and the error tells why it did not boot", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const home = await openHome(homePaths({ env: { VIRGA_HOME: directory }, uid: 0, userHome: "/" }));
  const listed = new Map<string, Vm>();
  let stuck = true;
  const create = ({ sandboxId: id }: VmConfig): Vm => {
    const vm = {
      id,
      state: "running",
      connectGuest: () => Promise.reject(new VirgaError("HYPERVISOR_EXITED", "no guest")),
      watchBoot: () => new Promise(() => undefined),
      refresh: async () => "running",
      destroy: () => {
        if (stuck) return Promise.reject(new VirgaError("DESTROY_FAILED", "it hangs"));
        listed.delete(id);
        return Promise.resolve();
      },
    } as unknown as Vm;
    listed.set(id, vm);
    return vm;
  };
  using catalog = Catalog.open(home.catalog);
  const host = {
    home,
    logger: silentLogger,
    assets: { kernel: "/k", kernelId: "k", initramfs: "/i", initramfsHash: "i", launcher: "/l" },
    choose: () => ({ name: "qemu", accelerator: "tcg", version: "9.0.0", binary: "/q" }),
    catalog,
    manager: {
      recoverVm: async () => undefined,
      destroy: async (id: string) => listed.get(id)?.destroy(),
      isolation: async () => ({ isolated: false, reason: "" }),
      get: (id: string) => listed.get(id),
      create: async (config: VmConfig) => create(config),
    },
  } as unknown as Host;
  const rows = (): string[] => catalog.sandboxes.withIntent().map(({ id }) => id);
  await assert.rejects(Sandbox.create({ host, cold: true }), { code: "HYPERVISOR_EXITED" });
  assert.deepEqual(rows(), [...listed.keys()]);
  assert.equal(listed.size, 1);
  const [left] = catalog.sandboxes.list();
  assert.equal(
    left?.owner?.pid,
    process.pid,
    "whoever finds it when this process is dead removes it",
  );
  stuck = false;
  await assert.rejects(Sandbox.create({ host, cold: true }), { code: "HYPERVISOR_EXITED" });
  assert.equal(rows().length, 1);
});
