import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { prerequisite, useTemporaryDirectory } from "@virga/testkit";
import { compilerSkip, nativeTestProgram } from "../test-program.ts";

const GUEST = "10.200.0.2";
const python = spawnSync("sh", ["-c", "command -v python3"], { encoding: "utf8" }).stdout.trim();
const skip =
  compilerSkip || prerequisite("python3", python === "" ? "there is no python3" : undefined);

/** A frame with its length before it: to `target`, from `source`, of some bytes of payload. */
function packet(target: string, source = GUEST, payloadBytes = 8): Buffer {
  const frame = Buffer.alloc(14 + 20 + payloadBytes, 0x5a);
  frame.writeUInt16BE(0x0800, 12);
  frame[14] = 0x45;
  Buffer.from(source.split(".").map(Number)).copy(frame, 26);
  Buffer.from(target.split(".").map(Number)).copy(frame, 30);
  return wire(frame);
}

function wire(frame: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}

function ofType(type: number, bytes: number): Buffer {
  const frame = Buffer.alloc(bytes);
  frame.writeUInt16BE(type, 12);
  return wire(frame);
}

const arp = ofType(0x0806, 42);

/** The command lines of fake ones that were told this word. */
function fakesWith(word: string): string {
  const lines = readdirSync("/proc").map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    } catch {
      return "";
    }
  });
  return lines
    .filter((line) => line.includes("fake-passt") && line.includes(`\0${word}\0`))
    .join("\n");
}

for (const sanitize of [false, true]) {
  describe(`guard ${sanitize ? "with sanitizers" : "static"}`, { skip }, () => {
    const start = async (t: TestContext, ...words: string[]) => {
      const directory = await useTemporaryDirectory(t);
      const socket = join(directory, "net");
      const fake = join(import.meta.dirname, "fake-passt.py");
      const program = await nativeTestProgram("passt-guard", sanitize);
      const args = ["--socket", socket, "--guest", GUEST, "--", python, fake, ...words];
      const child = spawn(program, args, { stdio: ["ignore", "inherit", "pipe"] });
      const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
      t.after(async () => {
        child.kill("SIGKILL");
        await exited;
      });
      return { child, exited, socket, said: text(child.stderr) };
    };
    const connected = async (path: string): Promise<Socket> => {
      while (!existsSync(path)) await sleep(5);
      const client = connect(path);
      await once(client, "connect");
      return client;
    };

    test("only the guest's own packets to other machines pass, whole and in order, and what comes back is not touched", async (t) => {
      const { socket, exited } = await start(t);
      const client = await connected(socket);
      const passing = [
        arp,
        packet("203.0.113.1"),
        packet("10.200.0.1", GUEST, 40_000),
        packet("10.200.0.3"),
        packet("192.168.1.1"),
        packet("223.255.255.255"),
        packet("169.253.0.1", GUEST, 65_535 - 34),
      ];
      const dropped = [
        packet("127.0.0.1"),
        packet("127.255.255.254"),
        packet("0.0.0.0"),
        packet("169.254.169.254"),
        packet("224.0.0.1"),
        packet("255.255.255.255"),
        packet("203.0.113.1", "10.200.0.9"),
        packet("203.0.113.1", "127.0.0.1"),
        packet("203.0.113.1", GUEST, 65_535 - 33),
        ofType(0x86dd, 60),
        ofType(0x8100, 60),
        ofType(0x0800, 33),
        ofType(0x0806, 41),
        wire(Buffer.alloc(1)),
        wire(Buffer.alloc(0)),
      ];
      const version6 = packet("203.0.113.1");
      version6[18] = 0x65;
      const sent = Buffer.concat([
        version6,
        ...dropped.flatMap((frame, index) => [frame, passing[index % passing.length] ?? arp]),
        // The last that comes back.
        arp,
      ]);
      const expected = Buffer.concat([
        ...dropped.map((_, index) => passing[index % passing.length] ?? arp),
        arp,
      ]);
      const back: Buffer[] = [];
      let bytes = 0;
      const all = new Promise<void>((resolve) => {
        client.on("data", (chunk: Buffer) => {
          back.push(chunk);
          bytes += chunk.length;
          if (bytes >= expected.length) resolve();
        });
      });
      // In pieces that end anywhere.
      for (let at = 0; at < sent.length; at += 997) client.write(sent.subarray(at, at + 997));
      await all;
      assert.ok(Buffer.concat(back).equals(expected));
      client.destroy();
      assert.deepEqual(await exited, [0, null]);
    });

    test("a length that no frame has ends it", async (t) => {
      const { socket, exited } = await start(t);
      const client = await connected(socket);
      client.on("error", () => undefined);
      client.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
      assert.deepEqual(await exited, [1, null]);
    });

    test("passt ends with a guard that is killed", async (t) => {
      const word = `of-${process.pid}-${String(sanitize)}`;
      // The guard carries it too.
      const running = (): string => fakesWith(`${word}\0--fd`);
      const { child, exited, socket } = await start(t, word);
      const client = await connected(socket);
      assert.match(running(), /fake-passt/u);
      client.on("error", () => undefined);
      child.kill("SIGKILL");
      await exited;
      while (running() !== "") await sleep(5);
      client.destroy();
    });

    test("a passt that cannot serve is told of, and there is no socket", async (t) => {
      const { exited, socket, said } = await start(t, "fail");
      assert.deepEqual(await exited, [1, null]);
      assert.match(await said, /virga-passt-guard: passt: No external routable interface/u);
      assert.equal(existsSync(socket), false);
    });

    test("a wrong command line says so", async () => {
      const program = await nativeTestProgram("passt-guard", sanitize);
      for (const args of [
        [],
        ["--socket", "/x"],
        ["--socket", "/x", "--guest", "nowhere", "--", "p"],
        ["--socket", "/x", "--guest", GUEST, "--"],
        ["--socket", `/${"x".repeat(104)}`, "--guest", GUEST, "--", "p"],
        ["--other", "x"],
      ]) {
        assert.equal(spawnSync(program, args).status, 2, args.join(" "));
      }
    });
  });
}
