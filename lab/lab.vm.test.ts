import assert from "node:assert/strict";
import { test } from "node:test";
import { prerequisite } from "@virga/testkit";
import { runInLab } from "./lab.ts";
import { missingForLab } from "./prerequisites.ts";

test("a command runs in the lab", { skip: prerequisite("lab", missingForLab()) }, async () => {
  let stdout = "";
  let stderr = "";
  const end = await runInLab({
    argv: ["sh", "-c", "test -c /dev/kvm && hostname"],
    stdout: (chunk) => void (stdout += chunk.toString()),
    stderr: (chunk) => void (stderr += chunk.toString()),
  });
  assert.deepEqual([end, stdout, stderr], [{ kind: "exit", code: 0 }, "lab\n", ""]);
});
