// One VM's life, told as a line of JSON. usage: one-life.ts JSON, see LifeOptions
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { testInitProbe } from "@virga/testkit";
import { VmManager, qemuDriver, type VmConfig } from "@virga/vm";

/** What the program is given. */
export interface LifeOptions {
  readonly directory: string;
  readonly launcher: string;
  /** For the VM and, with another id and disk, its clone. */
  readonly config: VmConfig;
  readonly clone: VmConfig;
  /** Where the snapshot goes. */
  readonly scratch: string;
  /** Become this user (and group) first. */
  readonly uid?: number;
}

/** What it tells. */
export interface Life {
  readonly isolated: boolean;
  readonly reason: string;
  /** Real, effective, saved and file-system uid of the VMM. */
  readonly vmmUids: string;
  /** Its effective capabilities, in hexadecimal. */
  readonly vmmCapabilities: string;
  readonly modes: readonly string[];
}

const options: LifeOptions = JSON.parse(process.argv[2] ?? "");
const { directory, launcher, uid } = options;
// After the imports: that user may not be able to read the checkout.
if (uid !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
}
const manager = new VmManager({ directory, launcher, drivers: [qemuDriver()] });
const vm = await manager.create(options.config);
await testInitProbe.ping(vm);
const status = readFileSync(`/proc/${vm.pid}/status`, "utf8");
const remembered = await testInitProbe.remember(vm, 7);

await manager.pause(vm.id);
const snapshot = join(options.scratch, "snapshot");
await manager.snapshot(vm.id, snapshot);
await manager.resume(vm.id);
await testInitProbe.ping(vm);

const modes: string[] = [];
for (const restoreMode of ["copy", "shared"] as const) {
  const clone = await manager.createFromSnapshot({ ...options.clone, restoreMode }, snapshot);
  if ((await testInitProbe.recall(clone)) !== remembered) throw new Error("the clone forgot");
  modes.push((await clone.info()).restore?.mode ?? "");
  await clone.destroy();
}
await vm.destroy();

const line = (name: string): string =>
  new RegExp(`^${name}:\\s*(.*)$`, "mu").exec(status)?.[1]?.replaceAll("\t", " ") ?? "";
const life: Life = {
  ...(await manager.isolation()),
  vmmUids: line("Uid"),
  vmmCapabilities: line("CapEff"),
  modes,
};
process.stdout.write(JSON.stringify(life));
