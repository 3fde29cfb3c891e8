import { fakeSubject, testConformance } from "@virga/testkit";
import { cloudHypervisorDriver } from "../src/hypervisor/cloud-hypervisor/driver.ts";
import { qemuDriver } from "../src/hypervisor/qemu/driver.ts";

testConformance(
  "fake cloud-hypervisor",
  fakeSubject({ driver: cloudHypervisorDriver, restoreModes: ["copy", "on-demand"] }),
);
testConformance(
  "fake cloud-hypervisor, memory in a file",
  fakeSubject({
    driver: cloudHypervisorDriver,
    restoreModes: ["shared", "copy", "shared"],
    config: { memoryForm: "file", restoreMode: "shared", balloon: false },
  }),
);
testConformance(
  "fake qemu",
  fakeSubject({ driver: qemuDriver(), restoreModes: ["shared", "shared", "copy"] }),
);
testConformance(
  "fake cloud-hypervisor, without namespaces",
  fakeSubject({ driver: cloudHypervisorDriver, restoreModes: ["copy"], isolation: "off" }),
);
testConformance(
  "fake qemu, without namespaces",
  fakeSubject({ driver: qemuDriver(), restoreModes: ["shared", "copy"], isolation: "off" }),
);
testConformance(
  "fake qemu, with a balloon",
  fakeSubject({ driver: qemuDriver(), restoreModes: ["copy"], config: { balloon: true } }),
);
