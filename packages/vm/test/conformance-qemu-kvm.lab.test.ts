import { describe } from "node:test";
import { qemuKvmMissing, qemuKvmSubject, testConformance, testNetwork } from "@virga/testkit";

describe("real guests", { skip: qemuKvmMissing() }, () => {
  testConformance("QEMU with KVM", qemuKvmSubject);
  testNetwork("QEMU with KVM", qemuKvmSubject);
});
