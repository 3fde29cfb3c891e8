import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { isVirgaError } from "../../errors.ts";
import { mapsReadOnly } from "./maps-read-only.ts";

const LONG = { timeoutMs: 20_000 };

/** As QEMU 7.2 of Debian 12 prints it, shortened. */
const OLD = `memory-backend-file options:
  align=<int>
  dump=<bool>            - Set to 'off' to exclude from core dump
  mem-path=<string>
  policy=<HostMemPolicy> - Set the NUMA policy
  readonly=<bool>
  reserve=<bool>         - Reserve swap space (or huge pages) if applicable
  share=<bool>           - Mark the memory as private to QEMU or shared
  x-use-canonical-path-for-ramblock-id=<bool>
`;

/** As QEMU 10.0 prints it, shortened. */
const CURRENT = `memory-backend-file options:
  align=<int>
  mem-path=<string>
  offset=<int>           - Offset into the target file (ex: 1G)
  readonly=<bool>
  rom=<OnOffAuto>        - Whether to create Read Only Memory (ROM)
  share=<bool>           - Mark the memory as private to QEMU or shared
`;

test("rom=off is told by the options of a memory file", async (t) => {
  const binary = join(await useTemporaryDirectory(t), "qemu");
  const answering = async (answer: string): Promise<boolean> => {
    const check = '[ "$*" = "-object memory-backend-file,help" ] || exit 9';
    await writeFile(binary, `#!/bin/sh\n${check}\ncat <<'END'\n${answer}END\n`, { mode: 0o755 });
    return mapsReadOnly(binary, LONG);
  };
  assert.equal(await answering(OLD), false);
  assert.equal(await answering(CURRENT), true);
  assert.equal(await answering(OLD.replace("dump=<bool>", "prom=<bool>")), false);
  for (const answer of ["", "rom=<OnOffAuto>\n", "\u001B]0;QEMU\u0007\n"]) {
    await assert.rejects(
      answering(answer),
      (error) =>
        isVirgaError(error) &&
        error.code === "HYPERVISOR_PROTOCOL" &&
        /expected the options of memory-backend-file, got "[^\p{Cc}]*"$/u.test(error.message),
      JSON.stringify(answer),
    );
  }
});

test("a binary that fails when it is asked is told from one that cannot do it", async (t) => {
  const binary = join(await useTemporaryDirectory(t), "qemu");
  await writeFile(binary, "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  await assert.rejects(mapsReadOnly(binary, LONG), {
    code: "HYPERVISOR_PROTOCOL",
    message: /memory-backend-file,help failed/u,
  });
});
