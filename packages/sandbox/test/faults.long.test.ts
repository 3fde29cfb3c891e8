import { describe, test } from "node:test";
import { qemuMissing, withLeakCheck } from "@virga/testkit";
import { Sandbox } from "@virga/sandbox";
import { testHost } from "./test-host.ts";
import { feedSlowReader } from "./slow-reader.ts";

describe("at length, on QEMU", { skip: qemuMissing() }, () => {
  test("a gigabyte goes to a command that reads slowly, and nobody keeps it", (t) =>
    withLeakCheck(t, async (place) => {
      const host = await testHost(place);
      await using sandbox = await Sandbox.create({ hypervisor: "qemu", memoryMib: 256, host });
      await feedSlowReader(sandbox, { bytes: 1_000_000_000, readerPauseMs: 50 });
    }));
});
