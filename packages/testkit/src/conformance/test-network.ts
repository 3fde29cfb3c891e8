import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import type { VmConfig } from "@virga/vm";
import { withLeakCheck } from "../leaks/leak-check.ts";
import type { TestPlace } from "../leaks/leak-count.ts";
import { prerequisite } from "../prerequisite.ts";
import { bootVm, managerOn, type ConformanceSubject } from "./conformance-subject.ts";
import { rejectsWithCode } from "./reject-code.ts";
import { askTestInit } from "./test-init-probe.ts";

const MAC = "02:fc:00:00:00:02";
/** The same in every namespace: Cloud Hypervisor records the TAP's own address, and sets another one only with a capability. */
const TAP_MAC = "02:fc:00:00:00:01";

function ip(...words: string[]): string {
  return execFileSync("ip", words, { encoding: "utf8" });
}

/** Why there can be no network namespaces here, as a test's `skip`; `false` when there can. */
export function networksMissing(): false | string {
  const name = `vt-try-${process.pid}`;
  const made = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (made.status === 0) ip("netns", "del", name);
  const why = made.error?.message ?? made.stderr;
  return prerequisite("netns", made.status === 0 ? undefined : `no network namespaces: ${why}`);
}

/** Network namespaces of a test's own, each with a TAP device of the same name: as slots of a pool will be. */
export async function withNamespaces(
  count: number,
  body: (names: readonly string[]) => Promise<void>,
): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `vt-${process.pid}-${index}`);
  try {
    for (const name of names) {
      ip("netns", "add", name);
      ip("-n", name, "tuntap", "add", "dev", "tap0", "mode", "tap", "vnet_hdr");
      ip("-n", name, "link", "set", "tap0", "address", TAP_MAC, "up");
    }
    await body(names);
  } finally {
    for (const name of names) spawnSync("ip", ["netns", "del", name]);
  }
}

async function withCard(
  subject: ConformanceSubject,
  place: TestPlace,
  id: string,
  networkNamespace: string,
  tap = "tap0",
): Promise<VmConfig> {
  const config = await subject.config(place, id);
  return { ...config, networkNamespace, network: { mac: MAC, tap } };
}

/** A VM's network card is a TAP device that exists already, in a network namespace that exists already. Real guests only. */
export function testNetwork(name: string, subject: ConformanceSubject): void {
  describe(`network: ${name}`, { skip: networksMissing() }, () => {
    test("what is missing is named, and no hypervisor makes one of its own", async (t) => {
      await withNamespaces(1, async ([namespace = ""]) => {
        await withLeakCheck(t, async (place) => {
          const manager = await managerOn(subject, place);
          const nowhere = await withCard(subject, place, "nowhere", "vt-absent");
          await rejectsWithCode(manager.create(nowhere), "NOT_FOUND", /vt-absent does not exist/);
          const untapped = await withCard(subject, place, "untapped", namespace, "tap7");
          await rejectsWithCode(manager.create(untapped), "NOT_FOUND", /tap7 does not exist/);
          assert.doesNotMatch(ip("-n", namespace, "link"), /tap7/);
          assert.deepEqual(manager.list(), []);
        });
      });
    });

    test("a guest has its card, and clones have theirs at the same time under the same name", async (t) => {
      await withNamespaces(3, async ([first = "", second = "", third = ""]) => {
        await withLeakCheck(t, async (place) => {
          const manager = await managerOn(subject, place);
          const booting = { ...subject, config: () => withCard(subject, place, "parent", first) };
          const parent = await bootVm(booting, place, manager, "parent");
          assert.match(
            JSON.stringify((await askTestInit(parent, "interfaces")).get("interfaces"), showMaps),
            new RegExp(MAC, "u"),
          );
          assert.match(ip("-n", first, "link", "show", "tap0"), /LOWER_UP/);
          await manager.pause("parent");
          const snapshot = `${place.scratch}/snapshot`;
          await manager.snapshot("parent", snapshot);
          await manager.resume("parent");
          for (const [id, namespace] of [
            ["one", second],
            ["two", third],
          ] as const) {
            const config = await withCard(subject, place, id, namespace);
            const clone = await manager.createFromSnapshot(config, snapshot);
            await subject.guest.ping(clone);
            assert.match(ip("-n", namespace, "link", "show", "tap0"), /LOWER_UP/);
          }
          await rejectsWithCode(
            manager.createFromSnapshot(
              { ...(await subject.config(place, "bare")), networkNamespace: second },
              snapshot,
            ),
            "SNAPSHOT_MISMATCH",
            /mac is 02:fc:00:00:00:02 in the snapshot, null/,
          );
          await Promise.all(manager.list().map((vm) => vm.destroy()));
        });
      });
    });
  });
}

function showMaps(_key: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}
