import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { imageToolsMissing, qemuMissing, withLeakCheck } from "@virga/testkit";
import { Sandbox } from "@virga/sandbox";
import { checkNoVm, testHost } from "./test-host.ts";

const skip = qemuMissing() || imageToolsMissing("mmdebstrap", "sqfstar", "mke2fs");

const SCRIPT = `set -e
whoami; pwd; id -u
sudo -n id -u
python3 -c 'import ssl, json; print("python", 6 * 7)'
git init -q repository && git -C repository status --short && echo git
curl --version | head -c 4; echo
ls /etc/ssl/certs/ca-certificates.crt
hostname | tr -d 'a-z0-9'; cat /etc/machine-id | wc -c`;

describe("the image debian on QEMU", { skip }, () => {
  test("it is made of packages, and its user has a shell, sudo, python, git and curl", (t) =>
    withLeakCheck(t, async (place) => {
      const host = await testHost(place);
      const options = { hypervisor: "qemu", memoryMib: 512, image: "debian", host } as const;
      for (const cold of [true, false]) {
        await using sandbox = await Sandbox.create({ ...options, cold });
        const { stdout, stderr, exitCode } = await sandbox.run(["bash", "-c", SCRIPT], {
          reject: false,
        });
        assert.deepEqual([exitCode, stderr], [0, ""]);
        assert.deepEqual(stdout.trimEnd().split("\n"), [
          "user",
          "/home/user",
          "1000",
          "0",
          "python 42",
          "git",
          "curl",
          "/etc/ssl/certs/ca-certificates.crt",
          "",
          "33",
        ]);
      }
      await checkNoVm(host.home);
    }));
});
