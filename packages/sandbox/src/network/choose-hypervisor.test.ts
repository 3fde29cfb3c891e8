import assert from "node:assert/strict";
import { test } from "node:test";
import type { HypervisorName, HypervisorProbe } from "@virga/vm";
import { chooseForNetwork } from "./choose-hypervisor.ts";

function machine(best: HypervisorName) {
  const told: string[] = [];
  const choose = (wanted: HypervisorName | "auto") =>
    ({ name: wanted === "auto" ? best : wanted }) as HypervisorProbe;
  return { told, choose, onProgress: (message: string) => told.push(message) };
}

test("a network is QEMU's, which is told where another one would have been taken", () => {
  const host = machine("cloud-hypervisor");
  assert.equal(chooseForNetwork(host, "auto", "none").name, "cloud-hypervisor");
  assert.deepEqual(host.told, []);
  assert.equal(chooseForNetwork(host, "auto", "internet").name, "qemu");
  assert.match(host.told.join("\n"), /^Using QEMU: .*Cloud Hypervisor/u);
  const plain = machine("qemu");
  assert.equal(chooseForNetwork(plain, "auto", "internet").name, "qemu");
  assert.equal(chooseForNetwork(plain, "qemu", "internet").name, "qemu");
  assert.deepEqual(plain.told, []);
  assert.throws(() => chooseForNetwork(host, "cloud-hypervisor", "internet"), {
    code: "UNSUPPORTED",
    message: /comes with network slots/u,
  });
});
