import { describe } from "node:test";
import { cloudHypervisorMissing, cloudHypervisorSubject } from "@virga/testkit";
import { testConsoleLimit } from "./console-limit.ts";

describe("real guests on Cloud Hypervisor", { skip: cloudHypervisorMissing() }, () => {
  testConsoleLimit(cloudHypervisorSubject);
});
