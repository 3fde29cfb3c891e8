// The operations on files under sanitizers: every path is walked once. What a host sees of them is in packages/guest/test.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { compilerSkip } from "../test-program.ts";
import { matching, startAgent } from "./test-agent.ts";

describe("agent", { skip: compilerSkip }, () => {
  test("tunnels and ports: to a server, to none, and one that is given up", async (t) => {
    const client = await startAgent(t);
    const server = createServer((socket) => void socket.on("error", () => {}).pipe(socket));
    server.listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const tunnel = await client.tunnel(port);
    tunnel.end("there and back");
    assert.equal(await text(tunnel), "there and back");
    const given = await client.tunnel(port, { host: "127.0.0.1" });
    given.write("x");
    await once(given, "data");
    given.destroy();
    assert.ok((await client.ports()).some((listed) => listed.port === port));
    await client.sync();
    // Nobody's: one that was free a moment ago may be another test's by now.
    await assert.rejects(client.tunnel(1), matching("GUEST_REFUSED", /refused/u));
    const cases: [object, RegExp][] = [
      [{}, /port is not/u],
      [{ port: 65_536 }, /port is not/u],
      [{ port, host: "localhost" }, /host is not an address/u],
      [{ port, host: 1 }, /host is not an address/u],
    ];
    for (const [fields, message] of cases) {
      await assert.rejects(
        client.request("tunnel", fields as Record<string, never>),
        matching("GUEST_BAD_REQUEST", message),
      );
    }
  });

  test("watching: trees that grow, move and go, and lost events", async (t) => {
    const client = await startAgent(t);
    const directory = mkdtempSync(join(tmpdir(), "virga-agent-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const at = (name: string): string => join(directory, name);
    mkdirSync(at("a/b/c"), { recursive: true });
    const watch = await client.files.watch(directory);
    // Many more directories than the table keeps forgotten ones.
    for (let turn = 0; turn < 300; turn += 1) {
      mkdirSync(at(`a/b/d${turn}`));
      renameSync(at(`a/b/d${turn}`), at(`a/e`));
      rmSync(at("a/e"), { recursive: true });
    }
    renameSync(at("a/b"), at("moved"));
    writeFileSync(at("moved/c/file"), "");
    rmSync(directory, { recursive: true });
    const paths = new Set<string>();
    for await (const event of watch) if ("path" in event) paths.add(String(event.path));
    for (const path of ["a/b/d0", "a/e", "a/b", "moved/c/file", "moved", "."]) {
      assert.ok(paths.has(path), path);
    }
    await assert.rejects(
      client.request("file.watch", { path: directory, recursive: 1 }),
      matching("GUEST_BAD_REQUEST", /recursive is not a bool/u),
    );
    await assert.rejects(client.files.watch(directory), matching("GUEST_NOT_FOUND", /watch/u));
  });

  test("files: each operation, its refusals, and one that is given up", async (t) => {
    const client = await startAgent(t);
    const directory = mkdtempSync(join(tmpdir(), "virga-agent-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const { files } = client;
    const at = (name: string): string => join(directory, name);
    await files.write(at("a/b"), "x".repeat(300_000), { parents: true, mode: 0o600 });
    await files.write(at("a/b"), "end", { append: true });
    assert.equal(await files.readText(at("a/b"), { offset: 299_999 }), "xend");
    await files.mkdir(at("d/e"), { parents: true, mode: 0o700 });
    await files.symlink("b", at("a/link"));
    await files.write(at("a/link"), "through");
    assert.equal((await files.stat(at("a/link"), { follow: false })).target, "b");
    await files.rename(at("a/b"), at("d/e/f"));
    await files.set(at("d/e/f"), { mode: 0o640, mtimeNs: 1n });
    await files.set(at("d/e/f"), { attributes: { a: "1" } }).catch(unsupported);
    await files.attributes(at("d/e/f")).catch(unsupported);
    const paths: string[] = [];
    for await (const { path } of files.list(directory, { depth: 9 })) paths.push(String(path));
    assert.deepEqual(paths.toSorted(), ["a", "a/link", "d", "d/e", "d/e/f"]);
    if (process.getuid?.() === 0) {
      await files.set(at("d/e/f"), { owner: "daemon:daemon" });
      const asUser = { user: "daemon" };
      await assert.rejects(
        files.readText(at("d/e/f"), asUser),
        matching("GUEST_DENIED", /denied/u),
      );
    }
    await assert.rejects(files.write("/dev/full", "x"), matching("GUEST_NO_SPACE", /No space/u));
    await assert.rejects(files.readText(at("none")), matching("GUEST_NOT_FOUND", /No such/u));
    const zeros = await files.read("/dev/zero");
    await once(zeros, "readable");
    zeros.destroy();
    await files.upload(import.meta.dirname, at("up"));
    await files.upload(import.meta.filename, at("up/new/file"));
    await files.symlink("x".repeat(200), at(`up/${"n".repeat(200)}`));
    const sent = await files.download(at("up"), at("down"));
    assert.deepEqual(await files.upload(at("down"), at("up")), sent);
    await assert.rejects(files.download(at("up"), at("no"), { maxBytes: 9 }), /more than 9 bytes/u);
    await files.remove(at("d"), { recursive: true });
    const path = at("f");
    const cases: [string, object, RegExp][] = [
      ["file.stat", {}, /path is not/u],
      ["file.stat", { path: "" }, /path is not/u],
      ["file.stat", { path, follow: 1 }, /follow is not a bool/u],
      ["file.stat", { path, user: 1 }, /user is not a str/u],
      ["file.mkdir", { path, mode: 0o10_000 }, /mode is not an int from 0 to 4095/u],
      ["file.mkdir", { path, owner: ":" }, /owner is not/u],
      ["file.mkdir", { path, owner: 1 }, /owner is not/u],
      ["file.rename", { from: path }, /to is not/u],
      ["file.symlink", { path }, /target is not/u],
      ["file.list", { path, depth: 0 }, /depth is not/u],
      ["file.read", { path, offset: -1 }, /offset is not/u],
      ["file.write", { path, offset: 1, append: true }, /exclude each other/u],
      ["file.write", { path, mtimeNs: 1 }, /mtimeNs is not/u],
      ["file.pack", { path: 1 }, /path is not/u],
      ["file.unpack", { path, owner: 1 }, /owner is not/u],
      ["file.set", { path, mtimeNs: [1] }, /mtimeNs is not/u],
      ["file.set", { path, mtimeNs: [1, 1_000_000_000] }, /mtimeNs is not/u],
      ["file.set", { path, attributes: [] }, /attributes is not a map/u],
      ["file.set", { path, attributes: { a: 1 } }, /attributes must/u],
      ["file.set", { path, attributes: { ["x".repeat(250)]: "" } }, /attributes must/u],
    ];
    for (const [op, fields, message] of cases) {
      await assert.rejects(
        client.request(op, fields as Record<string, never>),
        matching("GUEST_BAD_REQUEST", message),
        `${op} ${JSON.stringify(fields).slice(0, 100)}`,
      );
    }
    // Their processes are all reaped, and each place is free again.
    assert.deepEqual(await client.processes(), []);
    await Promise.all(Array.from({ length: 30 }, () => files.stat(directory)));
    for (let turn = 0; turn < 100; turn += 1) await files.stat(directory);
  });
});

/** Some file systems have no attributes. */
function unsupported(error: unknown): void {
  matching("GUEST_FAILED", /not supported/u)(error);
}
