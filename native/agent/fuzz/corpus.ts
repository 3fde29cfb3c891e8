// Writes the seed corpus of the agent's fuzz target: requests of the golden vectors and others with every key, and archives.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readVectors } from "../../protocol/read-vectors.ts";
import { encodeMessage } from "../../../packages/guest/src/message-encode.ts";
import { tarHeader } from "../../../packages/guest/src/trees/tar-subset.ts";

const requests = [
  {
    op: "exec",
    argv: ["sh", Buffer.of(0xff)],
    env: { A: "1", B: "=" },
    cwd: "/tmp",
    stdin: true,
    pty: { rows: 24, cols: 80, term: "xterm" },
    user: "daemon",
    login: true,
    limits: { nofile: 5, core: [0, -1] },
    detach: false,
    tag: "t",
    ringBytes: 5,
    timeoutMs: 1,
    inheritEnv: false,
  },
  { op: "exec", argv: ["a"], stdin: false },
  { op: "file.write", path: "/a", mode: 0o644, owner: "0:0", parents: true, mtimeNs: [-1, 5] },
  { op: "file.rename", from: "/a", to: Buffer.of(0x2f, 0xff), offset: 7 },
  { op: "file.symlink", path: "a", target: "b", owner: ":daemon" },
];

/** An archive's header is written with what stands behind it taken for a pax header. */
const archives = [
  tarHeader({ type: "file", name: "a", mode: 0o644, size: 5, mtime: 7, target: "" }),
  tarHeader({ type: "link", name: "a", mode: 0o777, size: 0, mtime: 7, target: "b" }),
  tarHeader({ type: "directory", name: "d/", mode: 0o7777, size: 0, mtime: 7, target: "" }),
].flatMap((header) => [
  header,
  Buffer.concat([header, Buffer.from("16 path=longer\n20 linkpath=farther\n10 size=9\n")]),
  Buffer.concat([header, Buffer.from("9 other=\n24 size=123456789012345\n")]),
]);

/** Writes the corpus into a folder; gives the paths of its files. */
export function writeCorpus(directory: string): string[] {
  const inputs: Uint8Array[] = [
    ...readVectors("message").map(({ hex }) => Buffer.from(hex, "hex")),
    ...requests.map((request) => encodeMessage(request)),
    ...archives.map((bytes) => Buffer.concat([Buffer.of(0xff), bytes])),
  ];
  mkdirSync(directory, { recursive: true });
  return inputs
    .filter((input) => input.length <= 4_000)
    .map((input, index) => {
      const path = join(directory, `${index}`);
      writeFileSync(path, input);
      return path;
    });
}
