import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { fakeHypervisor, withLeakCheck } from "@virga/testkit";
import { fakeHost } from "./fake-host.ts";
import { checkNoVm } from "./test-host.ts";
import { fakeHostOptions } from "./use-fake-host.ts";

const PROCESSES = 4;
const CALLERS_EACH = 5;
const child = fileURLToPath(new URL("./template-once-child.ts", import.meta.url));

test("twenty callers in four processes ask for one template at the same time: it is made once", (t) =>
  withLeakCheck(t, async (place) => {
    const fake = fakeHypervisor({ name: "qemu", directory: place.scratch });
    const options = await fakeHostOptions(place, "qemu", fake);
    const host = await fakeHost(options);
    const programs = await Promise.all(
      Array.from({ length: PROCESSES }, async () => {
        const words = [child, JSON.stringify(options), String(CALLERS_EACH)];
        const program = spawn(process.execPath, ["--conditions=virga-source", ...words], {
          stdio: ["pipe", "pipe", "inherit"],
        });
        await once(program.stdout, "data");
        return program;
      }),
    );
    const codes = await Promise.all(
      programs.map(async (program) => {
        const closed = once(program, "close");
        program.stdin.end("go");
        return (await closed)[0] as unknown;
      }),
    );
    assert.deepEqual(codes, [0, 0, 0, 0]);
    const begun = fake.calls().filter(({ phase }) => phase === "start");
    const guests = new Set(begun.map(({ pid }) => pid));
    const restored = new Set(
      begun.filter(({ call }) => call === "migrate-incoming").map(({ pid }) => pid),
    );
    assert.equal(restored.size, PROCESSES * CALLERS_EACH);
    assert.equal(guests.size - restored.size, 1, "one guest was booted for the template");
    const templates = (await readdir(host.home.templates)).filter((name) => !name.includes("."));
    assert.equal(templates.length, 1);
    await checkNoVm(host.home);
  }));
