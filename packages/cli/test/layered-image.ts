import { readFile } from "node:fs/promises";
import { currentBusybox, homePaths } from "@virga/sandbox";
import { craftLayer, craftLayout } from "../../sandbox/test/container-images.ts";

const APPLETS = [
  "sh",
  "cat",
  "echo",
  "ls",
  "sleep",
  "seq",
  "ps",
  "head",
  "wc",
  "sync",
  "stty",
  "grep",
];

/** Writes an OCI layout of three layers: busybox, what an image adds, and what the next one changes. Its commands start in `/srv` as `worker`. */
export async function layeredImage(directory: string): Promise<void> {
  const busybox = await currentBusybox(homePaths().busybox);
  if (busybox === undefined) throw new Error("set-up gave no busybox");
  const content = await readFile(busybox, "latin1");
  const layers = [
    craftLayer([
      { path: "bin", type: "directory" },
      { path: "bin/busybox", mode: 0o755, content },
      ...APPLETS.map(
        (name) => ({ path: `bin/${name}`, type: "symlink", target: "busybox" }) as const,
      ),
      { path: "etc", type: "directory" },
      {
        path: "etc/passwd",
        content: "root:x:0:0::/:/bin/sh\nworker:x:1000:1000::/srv:/bin/sh\n",
      },
    ]),
    craftLayer([
      { path: "srv", type: "directory", uid: 1000, gid: 1000 },
      { path: "srv/note", content: "second layer\n" },
      { path: "srv/old", content: "to be removed\n" },
    ]),
    craftLayer([{ path: "srv/.wh.old" }, { path: "srv/note", content: "third layer\n" }]),
  ];
  const config = { User: "worker", WorkingDir: "/srv", Env: ["PATH=/bin", "GREETING=hello"] };
  await craftLayout(directory, { layers, config });
}
