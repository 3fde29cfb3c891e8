import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import type { AgentClient } from "@virga/guest";
import type { Blueprint } from "./blueprint.ts";
import type { VmFixture } from "./fixture.ts";
import { agentOf } from "./fixture.ts";
import { runCommand } from "./run-command.ts";

const PORT = "bench.raw";
const SOCKET = "raw.sock";
const BUS = "virtio-serial-pci,id=channel,max_ports=";

/** The blueprint of a QEMU with one more port, which the agent leaves alone: bytes go through it as they are. */
function withRawPort({ argv }: Blueprint, directory: string): Blueprint {
  const ports = Number(argv.find((word) => word.startsWith(BUS))?.slice(BUS.length));
  assert.ok(ports > 1, `no ${BUS}… among ${argv.join(" ")}`);
  const wider = argv.map((word) => (word.startsWith(BUS) ? `${BUS}${ports + 1}` : word));
  const path = join(directory, SOCKET);
  return {
    argv: [
      ...wider,
      "-chardev",
      `socket,id=raw,path=${path},server=on,wait=off`,
      "-device",
      `virtserialport,bus=channel.0,nr=${ports},chardev=raw,name=${PORT}`,
    ],
  };
}

/** A guest on QEMU, and a byte stream between the host and whatever program in it, with nothing in between but the device. */
export class RawStream {
  readonly agent: AgentClient;
  readonly #socket: Socket;
  readonly #device: string;

  private constructor(agent: AgentClient, socket: Socket, device: string) {
    this.agent = agent;
    this.#socket = socket;
    this.#device = device;
  }

  static async open(fixture: VmFixture): Promise<RawStream> {
    const config = fixture.config();
    const directory = fixture.newDirectory();
    const blueprint = withRawPort(await fixture.bootBlueprint(config), directory);
    const vm = await fixture.keep(fixture.raw.boot({ blueprint, directory, config }));
    const agent = agentOf(vm);
    await agent.init();
    const find = `grep -lx ${PORT} /sys/class/virtio-ports/*/name`;
    const found = /virtio-ports\/(\w+)\/name/u.exec(
      await runCommand(agent, ["/bin/sh", "-c", find]),
    );
    assert.ok(found?.[1], `the guest has no port ${PORT}`);
    const socket = createConnection(join(directory, SOCKET));
    await once(socket, "connect");
    return new RawStream(agent, socket, `/dev/${found[1]}`);
  }

  /** Runs a shell command in the guest whose output goes to the host, until `bytes` of it are there. */
  async receive(command: string, bytes: number): Promise<void> {
    let left = bytes;
    const arrived = new Promise<void>((resolve) => {
      const take = (chunk: Buffer): void => {
        left -= chunk.length;
        if (left > 0) return;
        this.#socket.off("data", take);
        resolve();
      };
      this.#socket.on("data", take);
    });
    await Promise.all([this.#run(`${command} > ${this.#device}`), arrived]);
    assert.equal(left, 0);
  }

  /** Sends to a shell command in the guest, until it has ended. */
  async send(command: string, chunks: Iterable<Uint8Array>): Promise<void> {
    const done = this.#run(`${command} < ${this.#device}`);
    for (const chunk of chunks) {
      if (!this.#socket.write(chunk)) await once(this.#socket, "drain");
    }
    await done;
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await this.agent.close();
  }

  async #run(command: string): Promise<void> {
    await runCommand(this.agent, ["/bin/sh", "-c", command]);
  }
}
