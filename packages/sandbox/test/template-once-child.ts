// Asks for several sandboxes of one kind at once and destroys them, when it is told to. usage: template-once-child JSON COUNT, a byte on standard input
import { once } from "node:events";
import { Sandbox } from "@virga/sandbox";
import { fakeHost } from "./fake-host.ts";
import type { FakeHostOptions } from "./fake-host.ts";

const [options = "", count = ""] = process.argv.slice(2);
const host = await fakeHost(JSON.parse(options) as FakeHostOptions);
process.stdout.write("ready\n");
await once(process.stdin, "data");
const boxes = await Promise.all(
  Array.from({ length: Number(count) }, () =>
    Sandbox.create({ host, memoryMib: 96, vcpus: 1, hypervisor: "qemu" }),
  ),
);
for (const box of boxes) await box.destroy();
process.exit(0);
