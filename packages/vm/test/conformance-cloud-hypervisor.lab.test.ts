import { describe } from "node:test";
import {
  cloudHypervisorFileSubject,
  cloudHypervisorMissing,
  cloudHypervisorSubject,
  testConformance,
  testSnapshotConformance,
} from "@virga/testkit";

describe("real guests", { skip: cloudHypervisorMissing() }, () => {
  testConformance("Cloud Hypervisor, anonymous memory", cloudHypervisorSubject);
  testSnapshotConformance("Cloud Hypervisor, memory in a file", cloudHypervisorFileSubject);
});
