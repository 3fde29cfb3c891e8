import { describe, test } from "node:test";
import { qemuMissing } from "@virga/testkit";
import { testChannelSoak } from "./channel-soak.ts";

describe("the guest channel on QEMU", { skip: qemuMissing() }, () => {
  test("75 connections of three processes, most of them broken off, mix no byte", async (t) => {
    await testChannelSoak(t, { processes: 3, rounds: 25 });
  });
});
