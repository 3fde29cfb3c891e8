import { describe } from "node:test";
import { cloudHypervisorMissing, cloudHypervisorSubject, testForeignSystem } from "@virga/testkit";

describe("real guests", { skip: cloudHypervisorMissing() }, () => {
  testForeignSystem("Cloud Hypervisor", cloudHypervisorSubject);
});
