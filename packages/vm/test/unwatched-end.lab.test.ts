import { describe } from "node:test";
import { cloudHypervisorMissing, cloudHypervisorSubject } from "@virga/testkit";
import { testUnwatchedEnd } from "./unwatched-end.ts";

// The one that lives on in the same process, with a guest that nobody has initialised.
describe("real guests", { skip: cloudHypervisorMissing() }, () => {
  testUnwatchedEnd("Cloud Hypervisor", cloudHypervisorSubject, "reboot", "guest-reboot");
});
