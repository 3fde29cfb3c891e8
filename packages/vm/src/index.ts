export type {
  DiskConfig,
  HypervisorName,
  MemoryForm,
  NetworkConfig,
  ResolvedVmConfig,
  RestoreMode,
  TimeoutConfig,
  VmConfig,
} from "./config/vm-config.ts";
export { findHypervisor } from "./config/defaults.ts";
export { isVmId } from "./config/ids.ts";
export type { ConfigProblem } from "./config/problem.ts";
export { FIXED_VM_PATH, socketProblem } from "./directory.ts";
export {
  VirgaError,
  abortedError,
  errorText,
  errnoOf,
  isVirgaError,
  virgaErrorCodes,
} from "./errors.ts";
export type { VirgaErrorCode, VirgaErrorDetails, VirgaErrorOptions } from "./errors.ts";
export type { ExitReason } from "./exit-reason.ts";
export { cloudHypervisorDriver } from "./hypervisor/cloud-hypervisor/driver.ts";
export type {
  HypervisorBuild,
  HypervisorCapabilities,
  HypervisorDriver,
} from "./hypervisor/port.ts";
export { qemuDriver } from "./hypervisor/qemu/driver.ts";
export type { QemuDriverOptions } from "./hypervisor/qemu/driver.ts";
export type { KernelIdentity } from "./kernel-identity.ts";
export type { Isolation } from "./launch/isolation.ts";
export { startHelper } from "./launch/helper-process.ts";
export type { HelperOptions } from "./launch/helper-process.ts";
export { identifyProcess, isOfThisBoot, isSameProcess } from "./launch/process-identity.ts";
export type { ProcessIdentity } from "./launch/process-identity.ts";
export { endProcess } from "./launch/stop-process.ts";
export { acquireLock, tryLock } from "./lock.ts";
export type { HeldLock, LockMode, LockOptions } from "./lock.ts";
export { machineLimits } from "./machine-limits.ts";
export type { MachineLimits, MachineSize } from "./machine-limits.ts";
export { silentLogger } from "./logger.ts";
export { virgaCommand } from "./virga-command.ts";
export type { Logger, LogMethod } from "./logger.ts";
export { readVm } from "./read-vm.ts";
export type { VmSummary } from "./read-vm.ts";
export { readTail } from "./read-tail.ts";
export type { FileTail } from "./read-tail.ts";
export type { RecoveryOutcome } from "./recover-directory.ts";
export { nearestExisting } from "./nearest-existing.ts";
export { canReflink } from "./snapshot/reflink.ts";
export { copySparse } from "./snapshot/sparse-copy.ts";
export type { SparseCopyOptions } from "./snapshot/sparse-copy.ts";
export { readSnapshot } from "./snapshot/check.ts";
export { hostCpu } from "./snapshot/host-cpu.ts";
export type { SnapshotManifest, SnapshotMemory } from "./snapshot/manifest.ts";
export { snapshotUsers, snapshotsInUse } from "./snapshots-in-use.ts";
export type { SnapshotOptions } from "./snapshot-vm.ts";
export type { VmOperation, VmState } from "./state.ts";
export type { StepMessage } from "./steps.ts";
export { VERSION } from "./version.ts";
export { Vm } from "./vm.ts";
export type { VmInfo } from "./vm.ts";
export { readVmLog } from "./vm-log.ts";
export type { VmLogName, VmLogOptions } from "./vm-log.ts";
export { VmManager } from "./vm-manager.ts";
export type { OperationOptions, RestoreOptions, VmManagerOptions } from "./manager-options.ts";
export { chooseHypervisor, probeHypervisors } from "./probe/probe-hypervisors.ts";
export type { HypervisorProbe, ProbeOptions } from "./probe/probe-hypervisors.ts";
