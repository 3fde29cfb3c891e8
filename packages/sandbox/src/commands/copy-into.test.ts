import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { GuestError } from "@virga/guest";
import { useTemporaryDirectory } from "@virga/testkit";
import { checkCopy, copyInto } from "./copy-into.ts";

test("what cannot be copied is refused before anything starts", async (t) => {
  const root = await useTemporaryDirectory(t);
  await assert.rejects(checkCopy({ source: root, destination: "relative" }), {
    code: "INVALID_ARGUMENT",
    message: /"relative" is not an absolute path/,
  });
  await assert.rejects(checkCopy({ source: root, destination: "/a\0b" }), {
    code: "INVALID_ARGUMENT",
  });
  await assert.rejects(checkCopy({ source: join(root, "no"), destination: "/x" }), {
    code: "NOT_FOUND",
  });
  await assert.rejects(checkCopy({ source: "/dev/null", destination: "/x" }), {
    code: "INVALID_ARGUMENT",
    message: /neither a file nor a directory/,
  });
});

test("a refusal of either side is the error, in its words; a lost guest stays one", async () => {
  const copy = { source: "/a", destination: "/b" };
  const failing = (error: Error): Promise<void> =>
    copyInto({ upload: () => Promise.reject(error) }, copy, undefined);
  for (const code of ["GUEST_NO_SPACE", "HOST_FAILED", "FILE_REFUSED"] as const) {
    await assert.rejects(failing(new GuestError(code, "Cannot do it: full")), {
      code: "IO_ERROR",
      message: "Cannot copy /a to /b in the sandbox: Cannot do it: full",
      details: copy,
    });
  }
  for (const code of ["GUEST_CONNECTION_LOST", "ABORTED", "GUEST_TIMEOUT"] as const) {
    const error = new GuestError(code, "gone");
    await assert.rejects(failing(error), (thrown) => thrown === error);
  }
  const other = new Error("a listener's");
  await assert.rejects(failing(other), (thrown) => thrown === other);
});
