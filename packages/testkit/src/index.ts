export {
  agentInitramfs,
  testAssets,
  testKernel,
  testProgram,
  type TestAssets,
  type TestKernel,
} from "./assets.ts";
export { keepCoresBusy } from "./busy-cores.ts";
export { fakeModule } from "./fake-module.ts";
export { hangingKernel } from "./hanging-kernel.ts";
export type { Behaviour, CallRule, FakeCall, FakeName } from "./fakes/behaviour.ts";
export type { CallEvent } from "./fakes/call-log.ts";
export { fakeHypervisor, type FakeHypervisor } from "./fakes/fake-hypervisor.ts";
export { makePlace, removePlace, settledLeaks, withLeakCheck } from "./leaks/leak-check.ts";
export type { LeakCount, TestPlace } from "./leaks/leak-count.ts";
export { processesNaming } from "./leaks/process-leaks.ts";
export type { LeakedProcess } from "./leaks/process-leaks.ts";
export { patientMs, patientTimeouts } from "./patience.ts";
export { dockerRegistry, dockerRegistryMissing } from "./docker-registry.ts";
export { imageToolsMissing, pythonMissing } from "./programs-missing.ts";
export { pythonTree } from "./python-tree.ts";
export { runKillChild } from "./run-kill-child.ts";
export { prerequisite } from "./prerequisite.ts";
export { seededDraw, type SeededDraw } from "./seeded-draw.ts";
export { realProgram, usePathPrograms, useTemporaryDirectory, useVariable } from "./temporary.ts";
export { testConformance, testSnapshotConformance } from "./conformance/conformance.ts";
export type { ConformanceSubject } from "./conformance/conformance-subject.ts";
export { askFakeGuest, askOnStream, fakeGuestProbe } from "./conformance/fake-guest-probe.ts";
export { countsOn } from "./conformance/counts-on.ts";
export type { GuestProbe } from "./conformance/guest-probe.ts";
export { rejectsWithCode } from "./conformance/reject-code.ts";
export { fakeConfig, fakeSubject } from "./conformance/fake-subject.ts";
export { managerOn } from "./conformance/conformance-subject.ts";
export { startFakeQmp } from "./fake-qmp.ts";
export type { FakeQmp, FakeQmpOptions, QmpHandler } from "./fake-qmp.ts";
export {
  qemuConfig,
  qemuKvmMissing,
  qemuKvmSubject,
  qemuMissing,
  qemuSubject,
} from "./conformance/qemu-subject.ts";
export { askTestInit, testInitProbe } from "./conformance/test-init-probe.ts";
export {
  cloudHypervisorConfig,
  cloudHypervisorFileSubject,
  cloudHypervisorMissing,
  cloudHypervisorSubject,
} from "./conformance/cloud-hypervisor-subject.ts";
export { expectEveryPort, soakChannel } from "./soak/channel-soak.ts";
export type { SoakReport } from "./soak/soak-rounds.ts";
export { mountsMissing } from "./mount-right.ts";
export { testNetwork } from "./conformance/test-network.ts";
export { testForeignSystem } from "./conformance/test-foreign-system.ts";
export { debianInitramfsTools } from "./debian-initramfs.ts";
