// Prints the bytes of heap that a manager keeps per running VM. usage: node --expose-gc heap-per-vm.ts COUNT
import { fakeConfig, fakeHypervisor, makePlace, removePlace, testProgram } from "@virga/testkit";
import { VmManager, qemuDriver } from "@virga/vm";

const atOnce = 8;
const count = Number(process.argv[2]);
const place = makePlace();
const manager = new VmManager({
  directory: place.directory,
  launcher: await testProgram("launcher"),
  drivers: [qemuDriver()],
});
try {
  const fake = fakeHypervisor({ name: "qemu", directory: place.scratch });
  // The first VM loads code and fills caches that are there once.
  await create("warm");
  const before = heap();
  for (let at = 0; at < count; at += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, count - at) }, (_, one) => `v${at + one}`);
    await Promise.all(some.map(create));
  }
  console.log(Math.round((heap() - before) / count));

  async function create(id: string): Promise<void> {
    // Emulated slowness is not what is measured here.
    const config = { ...fakeConfig(place, id, fake), timeouts: { launchMs: 60_000 } };
    await manager.create(config);
  }
} finally {
  for (const vm of manager.list()) await vm.destroy();
  await removePlace(place);
}

function heap(): number {
  if (globalThis.gc === undefined) throw new Error("node needs --expose-gc");
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}
