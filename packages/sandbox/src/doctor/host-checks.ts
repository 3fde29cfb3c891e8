import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError } from "@virga/vm";
import { runTool } from "../setup/run-tool.ts";
import type { CheckDefinition } from "./check.ts";

const root: CheckDefinition = {
  name: "root",
  essential: false,
  run: async ({ uid }) =>
    uid === 0
      ? { ok: true, detail: "this is root" }
      : {
          ok: false,
          detail: `this is user ${uid}: VMs get no network, user or limits of their own`,
          fix: "Run as root where VMs must be kept apart from this user's files",
        },
};

const namespaces: CheckDefinition = {
  name: "namespaces",
  essential: false,
  run: async ({ uid }) => {
    // By trying: a container may forbid what its user id suggests.
    const args =
      uid === 0
        ? ["--mount", "--net", "true"]
        : ["--user", "--map-root-user", "--mount", "--net", "true"];
    try {
      await runTool("unshare", args, { what: "try namespaces", timeoutMs: 10_000 });
      return { ok: true, detail: uid === 0 ? "mount and network" : "user, mount and network" };
    } catch (error) {
      if (!(error instanceof VirgaError)) throw error;
      const { tail } = error.details;
      const said = typeof tail === "string" ? tail.trim() : "";
      return {
        ok: false,
        detail: `mount and network namespaces cannot be made${said === "" ? "" : `: ${said}`}`,
        fix: "In a container, give it CAP_SYS_ADMIN",
      };
    }
  },
};

const userfaultfd: CheckDefinition = {
  name: "userfaultfd",
  essential: false,
  run: async ({ root: base, uid }) => {
    const device = join(base, "dev/userfaultfd");
    // By trying: it is there for everybody, and mostly root's alone.
    if (await canOpen(device)) return { ok: true, detail: device };
    const setting = join(base, "proc/sys/vm/unprivileged_userfaultfd");
    const value = (await readFile(setting, "utf8").catch(() => "")).trim();
    if (value === "") {
      return {
        ok: false,
        detail: "this kernel has no userfaultfd: snapshots are restored whole, not on demand",
        fix: "Use a kernel with CONFIG_USERFAULTFD",
      };
    }
    if (uid === 0 || value === "1") return { ok: true, detail: "by system call" };
    return {
      ok: false,
      detail: "only root may use it: snapshots are restored whole, not on demand",
      fix: "sudo sysctl vm.unprivileged_userfaultfd=1",
    };
  },
};

async function canOpen(path: string): Promise<boolean> {
  try {
    await (await open(path, constants.O_RDWR)).close();
    return true;
  } catch {
    return false;
  }
}

/** What the host lets us do. */
export const hostChecks: readonly CheckDefinition[] = [root, namespaces, userfaultfd];
