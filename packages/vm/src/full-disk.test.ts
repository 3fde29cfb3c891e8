import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { VirgaError } from "./errors.ts";
import { explainFullDisk } from "./full-disk.ts";

const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });

test("only what a full disk may have caused is explained by it", async () => {
  const directory = join(tmpdir(), "absent", "vm");
  const cause = new VirgaError("IO_ERROR", "copying", { cause: full });
  const failed = new VirgaError("IO_ERROR", "Cannot create", { cause, details: { step: "x" } });
  const explained = await explainFullDisk(failed, directory);
  assert.ok(explained instanceof VirgaError);
  assert.equal(
    explained.message,
    `Cannot create (ENOSPC: the file system of ${directory} is full)`,
  );
  assert.deepEqual(explained.details, { step: "x", errno: "ENOSPC", directory });
  assert.equal(explained.cause, cause);
  for (const other of [
    full,
    new VirgaError("INVALID_CONFIG", "no", { cause: full }),
    new VirgaError("IO_ERROR", "something else"),
  ]) {
    assert.equal(await explainFullDisk(other, directory), other);
  }
});
