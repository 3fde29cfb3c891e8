import { describe } from "node:test";
import { qemuMissing, qemuSubject, testNetwork } from "@virga/testkit";

describe("real guests", { skip: qemuMissing() }, () => {
  testNetwork("qemu", qemuSubject);
});
