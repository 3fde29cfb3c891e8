import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { usePathPrograms, useTemporaryDirectory } from "@virga/testkit";
import { packBase } from "./pack-base.ts";

test("an abort ends the packing program at once, whatever it is at", async (t) => {
  const place = await useTemporaryDirectory(t);
  const target = join(place, "base");
  const ready = join(place, "ready");
  // It never reads what it is given, as one does that packs its last blocks.
  await usePathPrograms(t, place, { sqfstar: `: >"${ready}"; exec sleep 1000` });
  writeFileSync(target, "half");
  const abort = new AbortController();
  async function* stream(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(16 * 2 ** 20);
    assert.fail("it was never read");
  }
  const { signal } = abort;
  const refused = assert.rejects(packBase(stream(), target, { signal }), { code: "ABORTED" });
  while (!existsSync(ready)) await new Promise(setImmediate);
  abort.abort(new Error("no patience"));
  await refused;
  assert.equal(existsSync(target), false);
  await assert.rejects(packBase(stream(), target, { signal }), { code: "ABORTED" });
});
