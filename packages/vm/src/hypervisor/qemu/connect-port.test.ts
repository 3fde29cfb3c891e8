import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { connectPort } from "./connect-port.ts";

test("nobody there, before or just after, is the end of the hypervisor", async (t) => {
  const path = join(await useTemporaryDirectory(t), "port.sock");
  const ended = (errno: string) => ({
    code: "HYPERVISOR_EXITED",
    message: new RegExp(`^Cannot connect to guest port ${path}: .*${errno}`),
    details: { path, errno },
  });
  await assert.rejects(connectPort(path, undefined), ended("ENOENT"));
  const server = createServer().listen(path);
  await once(server, "listening");
  // The connection is in the queue when the listener goes, as when QEMU is killed.
  const connecting = connectPort(path, undefined);
  server.close();
  await assert.rejects(connecting, ended("ECONNRESET"));
});
