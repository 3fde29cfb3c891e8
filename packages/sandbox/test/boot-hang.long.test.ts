import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { hangingKernel, qemuMissing, withLeakCheck } from "@virga/testkit";
import { Sandbox, ensureReady } from "@virga/sandbox";
import { checkNoVm, testHost } from "./test-host.ts";

const silent = (): void => undefined;

test(
  "a guest whose kernel hangs is booted once more, and then the error says so",
  { skip: qemuMissing() },
  (t) =>
    withLeakCheck(t, async (place) => {
      const kernel = join(place.scratch, "hanging");
      await writeFile(kernel, hangingKernel("[    0.000000] tsc: cannot calibrate\r\n"));
      const warnings: string[] = [];
      const warn = (fields: Record<string, unknown>, message: string): void => {
        warnings.push(`${message}: ${String(fields["error"])}`);
      };
      const host = await testHost(place, {
        assets: { ...(await ensureReady()), kernel },
        logger: { debug: silent, info: silent, error: silent, warn },
      });
      await assert.rejects(
        Sandbox.create({ hypervisor: "qemu", host, memoryMib: 96, cold: true }),
        {
          code: "TIMEOUT",
          message: /^The kernel of VM "\w+" hangs in its boot$/,
        },
      );
      assert.equal(warnings.length, 1, warnings.join("\n"));
      assert.match(
        warnings[0] ?? "",
        /^the guest did not answer; booting it once more: .*hangs in its boot$/,
      );
      await checkNoVm(host.home);
    }),
);
