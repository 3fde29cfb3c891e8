export { componentVersions, type ComponentVersions } from "./component-versions.ts";
export type { Check } from "./doctor/check.ts";
export {
  doctor,
  type DoctorOptions,
  type DoctorReport,
  type HypervisorReport,
  type HypervisorsReport,
} from "./doctor/doctor.ts";
export { findHypervisors } from "./doctor/find-hypervisors.ts";
export {
  withUnpackedPackages,
  type DebPackageOptions,
  type UnpackedPackage,
} from "./setup/deb-package.ts";
export { findImage, type Image } from "./images/image.ts";
export { BUILT_IN_NAMES, DEBIAN, DEFAULT_IMAGE } from "./images/own-images.ts";
export type { BuildImageOptions, BuiltImage } from "./images/build-image.ts";
export type { ImageRecord, ImageSettings } from "./images/image-record.ts";
export type { StoredImage } from "./images/image-directories.ts";
export type { ImageListing, RemovedImage } from "./images/image-store.ts";
export { Images, type ImagesOptions } from "./images/images.ts";
export { currentBusybox, fetchBusybox } from "./setup/busybox.ts";
export { homePaths, openHome, type Home, type HomeInput } from "./home.ts";
export {
  buildInitramfs,
  initramfsArchive,
  type Initramfs,
  type InitramfsContent,
} from "./setup/initramfs.ts";
export { importKernelFiles, type KernelFileOptions } from "./setup/kernel/kernel-files.ts";
export { fetchKernelPackage, type KernelPackageOptions } from "./setup/kernel/kernel-package.ts";
export { currentKernel, type GuestKernel } from "./setup/kernel/kernel-store.ts";
export { ensureNative, type NativeOptions, type NativeSources } from "./setup/native.ts";
export type { ReadyAssets } from "./setup/ready-cache.ts";
export { ensureReady, ensureTools } from "./setup/setup.ts";
export { updateKernel, type KernelUpdate } from "./setup/update-kernel.ts";
export type { GivenFiles } from "./setup/setup-context.ts";
export type { SetupEvent, SetupOptions, ToolSet } from "./setup/setup-options.ts";
export {
  collectGarbage,
  type CollectGarbageOptions,
  type GarbageItem,
  type GarbageReport,
} from "./gc/collect-garbage.ts";
export type { Damage } from "./gc/verify.ts";
export { Host, type HostOptions } from "./host.ts";
export type { NetworkChoice } from "./network/guest-network.ts";
export { recoverHome } from "./recover-home.ts";
export type { OnProgress } from "./progress.ts";
export { checkCopy, type CopyRequest } from "./commands/copy-into.ts";
export { pumpInput } from "./commands/pump-input.ts";
export { CommandError } from "./commands/command-error.ts";
export type { ForwardOptions, PortForward } from "./commands/forward-port.ts";
export type { SandboxAttachOptions } from "./commands/guest-commands.ts";
export type {
  InputContent,
  ProcessEnd,
  RunOptions,
  RunResult,
  SpawnOptions,
} from "./commands/run-options.ts";
export { SandboxProcess } from "./commands/sandbox-process.ts";
export { SHELL, SandboxTerminal, type TerminalOptions } from "./commands/sandbox-terminal.ts";
export { openAccess, type Access, type AccessOptions } from "./life/access.ts";
export type { ForkOptions } from "./life/fork-sandbox.ts";
export type { LifeOptions } from "./life/life-tools.ts";
export type { OperationTimings } from "./life/operation-timings.ts";
export type { SandboxInfo } from "./life/sandbox-info.ts";
export type { SandboxState } from "./life/sandbox-state.ts";
export { Sandbox, type ConnectOptions, type SnapshotOptions } from "./sandbox.ts";
export type { SandboxOptions } from "./life/sandbox-options.ts";
export type { Reference } from "./snapshots/references.ts";
export type { SnapshotInfo } from "./snapshots/snapshot-info.ts";
export { Snapshots, type SnapshotsOptions } from "./snapshots/snapshots.ts";
export { Timings } from "./timings.ts";
export { withSetupLock, type SetupLockOptions } from "./setup/setup-lock.ts";
export {
  buildNative,
  nativePrograms,
  type BuiltProgram,
  type NativeBuildOptions,
} from "./setup/native-build.ts";
export { withFreshLists, type AptOptions } from "./setup/packages.ts";
export { VERSION } from "./version.ts";
