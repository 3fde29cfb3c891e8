import assert from "node:assert/strict";
import { test } from "node:test";
import { qemuMissing, withLeakCheck } from "@virga/testkit";
import { bootGuest } from "../src/guest/boot-guest.ts";
import { findImage } from "../src/images/image.ts";
import { planTemplate } from "../src/templates/template-plan.ts";
import { Timings } from "../src/timings.ts";
import { testHost } from "./test-host.ts";

test("a guest that gives up in its boot is told by its end", { skip: qemuMissing() }, (t) =>
  withLeakCheck(t, async (place) => {
    const host = await testHost(place);
    const hypervisor = host.choose("qemu");
    // Too little for the image: the kernel panics.
    const image = await findImage("busybox", host.home.images);
    const shape = { image, diskMib: 64, vcpus: 1, memoryMib: 64, hypervisor };
    const { boot } = await planTemplate(host, shape);
    const config = { ...boot, sandboxId: "small" };
    const booting = bootGuest(host, config, hypervisor.accelerator, new Timings(), undefined);
    await assert.rejects(booting, {
      code: "HYPERVISOR_EXITED",
      message: /has ended \(guest-panic\)/,
    });
    assert.equal(host.manager.get("small"), undefined);
  }),
);
