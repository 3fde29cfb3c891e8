import { fakeSubject } from "@virga/testkit";
import { testUnwatchedEnd } from "./unwatched-end.ts";
import { drivers } from "./with-fake.ts";

for (const driver of drivers) {
  const subject = fakeSubject({ driver, restoreModes: [] });
  testUnwatchedEnd(driver.name, subject, "poweroff", "guest-poweroff");
  testUnwatchedEnd(driver.name, subject, "reboot", "guest-reboot");
  testUnwatchedEnd(driver.name, subject, "panic", "guest-panic");
}
