import type { ResolvedVmConfig } from "../config/vm-config.ts";
import type { HypervisorBuild, SnapshotSource } from "../hypervisor/port.ts";
import { checkSnapshotHost } from "./check.ts";
import { compareShapes, shapeOf } from "./shape.ts";

/** Fails with `SNAPSHOT_MISMATCH` unless this hypervisor on this machine can restore the snapshot into this configuration. */
export async function checkSource(
  source: SnapshotSource,
  config: ResolvedVmConfig,
  build: HypervisorBuild,
  isolated: boolean,
): Promise<void> {
  checkSnapshotHost(source.directory, source.manifest, build);
  compareShapes(source.manifest.shape, await shapeOf(config, isolated), source.directory);
}
