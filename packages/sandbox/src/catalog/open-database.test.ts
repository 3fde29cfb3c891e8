import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { mountsMissing, useTemporaryDirectory } from "@virga/testkit";
import { VirgaError } from "@virga/vm";
import { idOf, sandboxRow } from "../../test/test-rows.ts";
import { Catalog } from "./catalog.ts";
import { SCHEMA_STEPS } from "./schema.ts";

async function testPath(t: TestContext): Promise<string> {
  return join(await useTemporaryDirectory(t), "catalog.sqlite");
}

/** Another process with `catalog` open and the rows of the tests at hand. */
function startWriter(path: string, script: string) {
  const url = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
  const source = `const { Catalog } = await import(${url("catalog.ts")});
    const { sandboxRow, idOf } = await import(${url("../../test/test-rows.ts")});
    const say = (word) => process.stdout.write(word + "\\n");
    const heard = new Promise((resolve) => process.stdin.once("data", resolve));
    const path = ${JSON.stringify(path)};
    ${script}`;
  const args = ["--conditions=virga-source", "--input-type=module", "-e", source];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ended = once(child, "exit");
  return { child, ended, line: async () => (await lines.next()).value };
}

test("processes that begin at once make one catalogue, and lose no row of each other", async (t) => {
  const path = await testPath(t);
  const writers = Array.from({ length: 4 }, (_, writer) =>
    startWriter(
      path,
      `say("ready");
      await heard;
      const catalog = Catalog.open(path);
      for (let i = 0; i < 100; i++) {
        const word = "${writer}-" + i;
        catalog.sandboxes.insert(sandboxRow(word, { name: "w" + word }));
        catalog.transaction(() => {
          const row = catalog.sandboxes.get(idOf("shared"));
          if (row === undefined) catalog.sandboxes.insert(sandboxRow("shared", { suspended: 1 }));
          else catalog.sandboxes.update(row.id, { suspended: row.suspended + 1 });
        });
        if (i % 2 === 1) catalog.sandboxes.delete(idOf(word));
      }
      process.exit(0);`,
    ),
  );
  for (const { line } of writers) assert.equal(await line(), "ready");
  for (const { child } of writers) child.stdin.end("go");
  for (const { ended } of writers) assert.deepEqual(await ended, [0, null]);
  using catalog = Catalog.open(path);
  assert.equal(catalog.sandboxes.list().length, 4 * 50 + 1);
  assert.equal(catalog.sandboxes.get(idOf("shared"))?.suspended, 400);
  assert.deepEqual(catalog.damaged.list(), []);
});

test("a process that is killed in the middle of a transaction has written nothing, and is in nobody's way", async (t) => {
  const path = await testPath(t);
  using catalog = Catalog.open(path);
  catalog.sandboxes.insert(sandboxRow("old", { name: "old" }));
  const writer = startWriter(
    path,
    `const catalog = Catalog.open(path);
    catalog.transaction(() => {
      catalog.sandboxes.insert(sandboxRow("new"));
      catalog.sandboxes.delete(idOf("old"));
      process.kill(process.pid, "SIGKILL");
    });`,
  );
  assert.deepEqual(await writer.ended, [null, "SIGKILL"]);
  assert.deepEqual(
    catalog.sandboxes.list().map(({ id }) => id),
    [idOf("old")],
  );
  catalog.sandboxes.update(idOf("old"), { name: "still" });
  // What was committed is there, also when its process had no time to close anything.
  const second = startWriter(
    path,
    `Catalog.open(path).sandboxes.insert(sandboxRow("new"));
    process.kill(process.pid, "SIGKILL");`,
  );
  assert.deepEqual(await second.ended, [null, "SIGKILL"]);
  assert.equal(catalog.sandboxes.get(idOf("new"))?.phase, "live");
});

test("a process that is killed while it makes the catalogue leaves nothing to the next", async (t) => {
  const path = await testPath(t);
  writeFileSync(`${path}.new`, "half");
  writeFileSync(`${path}.new-wal`, "half");
  writeFileSync(`${path}-wal`, "of a catalogue that was taken away");
  using catalog = Catalog.open(path);
  catalog.sandboxes.insert(sandboxRow("one"));
  const names = readdirSync(join(path, "..")).toSorted();
  const base = "catalog.sqlite";
  assert.deepEqual(names, [base, `${base}-shm`, `${base}-wal`, `${base}.lock`]);
});

test("a catalogue of a later version is not opened, and not changed", async (t) => {
  const path = await testPath(t);
  Catalog.open(path).close();
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA user_version=${SCHEMA_STEPS.length + 1}`);
  database.close();
  const before = readFileSync(path);
  assert.throws(() => Catalog.open(path), {
    code: "UNSUPPORTED",
    message: `The catalogue ${path} is of version ${SCHEMA_STEPS.length + 1}, made by a later Virga: this one knows versions up to ${SCHEMA_STEPS.length}`,
    hint: "Update Virga, or set VIRGA_HOME to another directory.",
  });
  assert.deepEqual(readFileSync(path), before);
});

const damages: Record<string, (path: string) => void> = {
  garbage: (path) => writeFileSync(path, Buffer.alloc(50_000, "no database")),
  emptied: (path) => truncateSync(path),
  "cut in half": (path) => truncateSync(path, statSync(path).size / 2),
  "cut in its header": (path) => truncateSync(path, 50),
  "full of zeros": (path) => writeFileSync(path, Buffer.alloc(statSync(path).size)),
  "damaged inside": (path) => {
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xff, 100));
  },
};

for (const [name, damage] of Object.entries(damages)) {
  test(`a damaged catalogue (${name}) is an error that says what to do, and doing it helps`, async (t) => {
    const path = await testPath(t);
    {
      using catalog = Catalog.open(path);
      for (let i = 0; i < 50; i++) catalog.sandboxes.insert(sandboxRow(String(i)));
    }
    damage(path);
    const before = readFileSync(path);
    const use = (): number => {
      using catalog = Catalog.open(path);
      return catalog.sandboxes.list().length;
    };
    assert.throws(use, (error) => {
      assert.ok(error instanceof VirgaError, String(error));
      assert.equal(error.code, "IO_ERROR");
      assert.equal(error.details["damaged"], true);
      assert.ok(error.message.startsWith(`The catalogue ${path} is damaged: `), error.message);
      assert.ok(error.hint?.includes(`mv ${path} ${path}.damaged`), error.hint);
      return true;
    });
    assert.deepEqual(readFileSync(path), before, "what is left of it stays as it is");
    execFileSync("mv", [path, `${path}.damaged`]);
    assert.equal(use(), 0);
  });
}

test("a catalogue that cannot be opened is an error that names it", async (t) => {
  const path = await testPath(t);
  rmSync(join(path, ".."), { recursive: true });
  assert.throws(() => Catalog.open(path), { code: "IO_ERROR", details: { path } });
});

test(
  "a full disk fails a change cleanly; what is there can be read, and removed once there is room",
  { skip: mountsMissing() },
  async (t) => {
    const directory = await useTemporaryDirectory(t);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", directory]);
    try {
      const path = join(directory, "catalog.sqlite");
      {
        using catalog = Catalog.open(path);
        catalog.sandboxes.insert(sandboxRow("first", { name: "first" }));
      }
      const full = { code: "IO_ERROR", details: { path, errno: "ENOSPC" } };
      // With the catalogue open, and with one that must be opened in a full file system.
      for (const isOpen of [true, false]) {
        const kept = isOpen ? Catalog.open(path) : undefined;
        kept?.sandboxes.list();
        fill(join(directory, "filler"));
        using catalog = kept ?? Catalog.open(path);
        const large = { PADDING: "x".repeat(200_000) };
        const row = sandboxRow("large");
        assert.throws(
          () => catalog.sandboxes.insert({ ...row, spec: { ...row.spec, env: large } }),
          full,
        );
        assert.deepEqual(
          catalog.sandboxes.list().map(({ name }) => name),
          ["first"],
        );
        rmSync(join(directory, "filler"));
        catalog.sandboxes.insert(sandboxRow("second"));
        catalog.sandboxes.delete(idOf("second"));
      }
      using catalog = Catalog.open(path);
      catalog.sandboxes.delete(idOf("first"));
      assert.deepEqual(catalog.sandboxes.list(), []);
    } finally {
      execFileSync("umount", [directory]);
    }
  },
);

function fill(path: string): void {
  for (const size of [64 * 1024, 4096]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: "a" });
    } catch (error) {
      assert.match(String(error), /ENOSPC/u);
    }
  }
}
