import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { probeIsolation } from "./isolation.ts";
import { identifyProcess } from "./process-identity.ts";

const skip = process.getuid?.() === 0 ? false : "without root no launch is tried";

test("a trial launch that does not end is ended", { skip }, async (t) => {
  const directory = await useTemporaryDirectory(t);
  const launcher = join(directory, "launcher");
  await writeFile(launcher, `#!/bin/sh\necho $$ > ${directory}/pid\nexec sleep 600\n`, {
    mode: 0o755,
  });
  const { isolated, reason } = await probeIsolation(launcher, 1_000);
  assert.equal(isolated, false);
  assert.match(reason, /did not finish within 1000 ms/u);
  const pid = Number(await readFile(join(directory, "pid"), "utf8"));
  assert.equal(identifyProcess(pid), undefined);
});
