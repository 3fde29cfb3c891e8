import { fakeSubject, testConformance } from "@virga/testkit";
import { cloudHypervisorDriver } from "@virga/vm";

// Anonymous memory with a balloon, as the seed: on demand is the default, and the snapshots hold `memory-ranges`.
testConformance(
  "fake Cloud Hypervisor, anonymous memory",
  fakeSubject({ driver: cloudHypervisorDriver, restoreModes: ["on-demand", "copy"] }),
);

// Memory in a file, as templates: clones map it, and so do clones of clones.
testConformance(
  "fake Cloud Hypervisor, memory in a file",
  fakeSubject({
    driver: cloudHypervisorDriver,
    config: { memoryForm: "file", balloon: false, restoreMode: "shared" },
    restoreModes: ["shared", "copy", "shared"],
  }),
);
