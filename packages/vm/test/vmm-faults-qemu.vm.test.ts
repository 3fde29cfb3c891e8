import { describe } from "node:test";
import { qemuMissing, qemuSubject } from "@virga/testkit";
import { testVmmFaults } from "./vmm-faults.ts";

describe("real guests on QEMU", { skip: qemuMissing() }, () => {
  testVmmFaults(qemuSubject);
});
