import assert from "node:assert/strict";
import { totalmem } from "node:os";
import { test } from "node:test";
import { checkSettings } from "./check-settings.ts";
import type { RunSettings } from "./run-settings.ts";

const good: RunSettings = {
  command: ["true"],
  image: "busybox",
  hypervisor: "auto",
  vcpus: 1,
  memoryMib: 128,
  diskMib: undefined,
  network: "none",
  env: {},
  workdir: undefined,
  user: undefined,
  timeoutMs: undefined,
  copies: [],
  interactive: false,
  terminal: false,
  cold: false,
  timings: undefined,
  verbose: false,
};

test("what this machine can run passes", async () => {
  await checkSettings(good);
  await checkSettings({ ...good, command: ["cat", ""], vcpus: 8 });
});

for (const [name, wrong, message] of [
  ["an empty command", { command: ["", "x"] }, /^Cannot run: the name of the command is empty$/],
  [
    "an image that there is not",
    { image: "nothing" },
    /^Unknown image "nothing": there is busybox, debian$/,
  ],
  [
    "more memory than there is",
    { memoryMib: Math.ceil(totalmem() / 1024 ** 2) + 1 },
    /^Cannot run: --memory \d+ is more than this machine has: \d+ MiB$/,
  ],
  ["a disk for an image that has none", { diskMib: 64 }, /^Cannot run: --disk .* busybox has none/],
  ["a crowd of processors", { vcpus: 100_000 }, /^Cannot run: --vcpus 100000 .*at most \d+$/],
] as const) {
  test(`${name} is wrong usage`, async () => {
    await assert.rejects(checkSettings({ ...good, ...wrong }), { message });
  });
}
