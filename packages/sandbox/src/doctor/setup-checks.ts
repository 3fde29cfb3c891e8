import { access, constants, stat } from "node:fs/promises";
import { errnoOf, virgaCommand } from "@virga/vm";
import { whyTooLong } from "../home.ts";
import { currentBusybox } from "../setup/busybox.ts";
import { currentKernel } from "../setup/kernel/kernel-store.ts";
import { isNativeReady } from "../setup/native.ts";
import { installCommand } from "../setup/packages.ts";
import { missingRequirements, requirements } from "../setup/requirements.ts";
import { packageNames } from "../setup/setup-needed.ts";
import { RUNTIME_PROGRAMS } from "../setup/setup-steps.ts";
import type { CheckDefinition } from "./check.ts";

const OLDEST_NODE = [24, 15] as const;

const node: CheckDefinition = {
  name: "node",
  essential: true,
  run: async ({ nodeVersion }) => {
    const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
    const ok = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
    if (ok) return { ok, detail: nodeVersion };
    return {
      ok,
      detail: `${nodeVersion} is too old`,
      fix: `Use Node ${OLDEST_NODE.join(".")} or later`,
    };
  },
};

const directories: CheckDefinition = {
  name: "directories",
  essential: true,
  run: async ({ home, uid }) => {
    const tooLong = whyTooLong(home);
    if (tooLong !== undefined) {
      return {
        ok: false,
        detail: `${home.state} cannot be used: ${tooLong}`,
        fix: "Set VIRGA_HOME to a shorter path",
      };
    }
    for (const path of [home.state, home.run]) {
      try {
        const owner = (await stat(path)).uid;
        if (owner === uid) {
          // Also for root: a file system may be mounted to be read only.
          await access(path, constants.W_OK);
          continue;
        }
        return {
          ok: false,
          detail: `${path} belongs to user ${owner}, and this is user ${uid}`,
          fix: "Set VIRGA_HOME to a directory of your own",
        };
      } catch (error) {
        // Made when first used.
        if (errnoOf(error) === "ENOENT") continue;
        return {
          ok: false,
          detail: `${path} cannot be used: ${errnoOf(error) ?? "unknown error"}`,
          fix: "Set VIRGA_HOME to a directory of your own",
        };
      }
    }
    return { ok: true, detail: `${home.state}, ${home.run}` };
  },
};

const programs: CheckDefinition = {
  name: "qemu",
  essential: false,
  run: async () => {
    const missing = await missingRequirements(requirements.qemu);
    if (missing.length === 0) {
      return {
        ok: true,
        detail: `${requirements.qemu.map(({ name }) => name).join(", ")} is on the PATH`,
      };
    }
    return {
      ok: false,
      detail: `${missing.map(({ name }) => name).join(", ")} is not on the PATH`,
      fix: installCommand(packageNames(missing)),
    };
  },
};

const network: CheckDefinition = {
  name: "network",
  essential: false,
  run: async () => {
    const missing = await missingRequirements(requirements.network);
    if (missing.length === 0) return { ok: true, detail: "passt is on the PATH" };
    return {
      ok: false,
      detail: "passt is not on the PATH: the first sandbox with a network installs it",
      fix: installCommand(packageNames(missing)),
    };
  },
};

const kernel: CheckDefinition = {
  name: "guest-kernel",
  essential: true,
  run: async ({ home }) => {
    const current = await currentKernel(home.kernel);
    if (current === undefined)
      return { ok: false, detail: "there is none yet", fix: virgaCommand("setup") };
    return { ok: true, detail: `${current.release} of ${current.source}` };
  },
};

const busybox: CheckDefinition = {
  name: "image-busybox",
  essential: true,
  run: async ({ home }) => {
    const path = await currentBusybox(home.busybox);
    if (path === undefined)
      return { ok: false, detail: "there is none yet", fix: virgaCommand("setup") };
    return { ok: true, detail: path };
  },
};

const native: CheckDefinition = {
  name: "agent-and-launcher",
  essential: true,
  run: async ({ home, machine }) => {
    const ok = await isNativeReady({
      names: RUNTIME_PROGRAMS,
      outDir: home.native,
      sources: machine.nativeSources,
    });
    return ok
      ? { ok, detail: "ready" }
      : { ok, detail: "not built yet, or built from other sources", fix: virgaCommand("setup") };
  },
};

/** What set-up makes, and what it needs. */
export const setupChecks: readonly CheckDefinition[] = [
  node,
  directories,
  programs,
  network,
  kernel,
  busybox,
  native,
];
