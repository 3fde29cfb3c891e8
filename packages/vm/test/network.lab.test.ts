import { describe } from "node:test";
import {
  cloudHypervisorFileSubject,
  cloudHypervisorMissing,
  cloudHypervisorSubject,
  testNetwork,
} from "@virga/testkit";

describe("real guests", { skip: cloudHypervisorMissing() }, () => {
  testNetwork("Cloud Hypervisor, on-demand", cloudHypervisorSubject);
  testNetwork("Cloud Hypervisor, memory in a file", cloudHypervisorFileSubject);
});
