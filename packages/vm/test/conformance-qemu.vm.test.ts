import { describe } from "node:test";
import { qemuMissing, qemuSubject, testConformance } from "@virga/testkit";

describe("real guests", { skip: qemuMissing() }, () => {
  testConformance("qemu", qemuSubject);
});
