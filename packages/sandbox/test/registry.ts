import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { dockerRegistry } from "@virga/testkit";

/** The user of a private registry; its password is `secret`. */
export const REGISTRY_USER = "virga";
const PASSWORD_HASH = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

/** Starts a registry of the test's own on a loopback port and gives its address. It ends with the test. */
export async function startRegistry(
  t: TestContext,
  directory: string,
  options: { readonly isPrivate?: boolean } = {},
): Promise<string> {
  await mkdir(directory);
  const passwords = join(directory, "htpasswd");
  await writeFile(passwords, `${REGISTRY_USER}:${PASSWORD_HASH}\n`);
  const auth =
    options.isPrivate === true ? { auth: { htpasswd: { realm: "test", path: passwords } } } : {};
  const config = join(directory, "config.yml");
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      log: { formatter: "json" },
      storage: { filesystem: { rootdirectory: join(directory, "data") } },
      http: { addr: "127.0.0.1:0" },
      ...auth,
    }),
  );
  const child: ChildProcess = spawn(await dockerRegistry(), ["serve", config], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(async () => {
    const closed = once(child, "close");
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await closed;
    }
  });
  if (child.stderr === null) throw new Error("the registry has no standard error");
  const lines = createInterface(child.stderr);
  for await (const line of lines) {
    const address = /listening on (127\.0\.0\.1:\d+)/u.exec(line)?.[1];
    if (address === undefined) continue;
    lines.close();
    child.stderr.resume();
    return address;
  }
  throw new Error("the registry ended before it listened");
}
