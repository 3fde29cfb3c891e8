import { describe } from "node:test";
import {
  cloudHypervisorMissing,
  cloudHypervisorSubject,
  qemuKvmMissing,
  qemuKvmSubject,
} from "@virga/testkit";
import { testVmmFaults } from "./vmm-faults.ts";

describe("real guests on Cloud Hypervisor", { skip: cloudHypervisorMissing() }, () => {
  testVmmFaults(cloudHypervisorSubject);
});

describe("real guests on QEMU with KVM", { skip: qemuKvmMissing() }, () => {
  testVmmFaults(qemuKvmSubject);
});
