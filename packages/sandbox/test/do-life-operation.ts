import { Sandbox } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import type { Access } from "../src/life/access.ts";
import type { LifeKillOperation } from "./kill-life-cases.ts";
import { killShape } from "./kill-life-host.ts";
import type { KillHostOptions } from "./kill-life-host.ts";

/** Does what a case says: to the sandbox `box`, or by making the sandbox `new`, of the snapshot `kept` where it is a clone. */
export async function doLifeOperation(
  host: Host & Access,
  where: KillHostOptions,
  operation: LifeKillOperation,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  if (operation === "create") {
    await Sandbox.create({ ...killShape(where), host, name: "new", ...options });
  } else if (operation === "clone") {
    await Sandbox.create({ host, snapshot: "kept", name: "new", ...options });
  } else {
    const sandbox = await Sandbox.connect("box", { host });
    if (operation === "snapshot") await sandbox.snapshot({ name: "taken", ...options });
    else if (operation === "fork") await sandbox.fork(2, options);
    else await sandbox[operation](options);
  }
}
