import assert from "node:assert/strict";
import { Readable } from "node:stream";
import type { AgentClient } from "@virga/guest";
import type { HypervisorName } from "@virga/vm";
import type { Bench, Sample } from "../bench.ts";
import { timed } from "../timed.ts";
import { VmFixture, agentOf } from "../vm/fixture.ts";
import { RawStream } from "../vm/raw-stream.ts";

const MIB = 2 ** 20;
const mib = 16;
const chunk = Buffer.alloc(64 * 1024, "virga");
const source = "/tmp/source";
const target = "/tmp/target";

const output = `output of a command, ${mib} MiB`;
const download = `download of a file, ${mib} MiB`;
const upload = `upload of a file, ${mib} MiB`;

/** At least four fifths of the throughput. */
const aim = { of: "ratio", most: 1 / 0.8 } as const;

/** Bytes out of a guest and into it. */
export function vmThroughput(hypervisor: HypervisorName): Bench {
  // Busybox has no program that speaks to a vsock device.
  const hasRaw = hypervisor === "qemu";
  return {
    name: "throughput",
    about: `${mib} MiB from and to a guest on ${hypervisor}${hasRaw ? "; raw is a port of the same device that dd or head writes or reads in the guest" : ""}`,
    open: async () => {
      const fixture = await VmFixture.open(hypervisor);
      const agent = agentOf(await fixture.manager.create(fixture.config()));
      await agent.init();
      await fill(agent);
      const raw = hasRaw ? await RawStream.open(fixture) : undefined;
      if (raw !== undefined) await fill(raw.agent);
      return {
        measures: [output, download, upload].map((name) => ({
          name,
          unit: "ms" as const,
          ...(hasRaw && { aim }),
        })),
        leastRounds: 5,
        ...(raw !== undefined && { raw: () => throughRaw(raw) }),
        virga: async () => ({
          [output]: await timed(() => catOf(agent)),
          [download]: await timed(async () => expectAll(await agent.files.read(source))),
          [upload]: await timed(async () => agent.files.write(target, Readable.from(chunks()))),
        }),
        close: async () => {
          await raw?.close();
          await agent.close();
          await fixture.close();
        },
      };
    },
  };
}

/** Not by cat, which has the kernel lend the file's pages to the device: what comes from a program cannot. */
async function throughRaw(raw: RawStream): Promise<Sample> {
  const receive = (): Promise<number> =>
    timed(() => raw.receive(`dd if=${source} bs=32k 2>/dev/null`, mib * MIB));
  return {
    [output]: await receive(),
    [download]: await receive(),
    [upload]: await timed(() => raw.send(`head -c ${mib * MIB} > ${target}`, chunks())),
  };
}

async function fill(agent: AgentClient): Promise<void> {
  await agent.files.write(source, Readable.from(chunks()));
}

async function catOf(agent: AgentClient): Promise<void> {
  const process = await agent.exec(["/bin/cat", source]);
  process.stderr?.resume();
  await expectAll(process.stdout);
  const exit = await process.exited;
  assert.ok("code" in exit && exit.code === 0, JSON.stringify(exit));
}

async function expectAll(stream: AsyncIterable<Uint8Array>): Promise<void> {
  let bytes = 0;
  for await (const part of stream) bytes += part.length;
  assert.equal(bytes, mib * MIB);
}

function* chunks(): Generator<Buffer> {
  for (let bytes = 0; bytes < mib * MIB; bytes += chunk.length) yield chunk;
}
