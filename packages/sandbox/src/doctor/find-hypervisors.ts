import { VirgaError, findHypervisor, type HypervisorName } from "@virga/vm";
import { runTool } from "../setup/run-tool.ts";
import type { HypervisorReport, HypervisorsReport } from "./doctor.ts";

const VERSION_TIMEOUT_MS = 10_000;
const names: readonly HypervisorName[] = ["cloud-hypervisor", "qemu"];

/**
 * Finds the hypervisors and asks them for their versions. Guests are not tried: Cloud Hypervisor, which depends on a KVM that really runs guests, does not count
 * as usable on this evidence; QEMU does, because it can emulate.
 */
export async function findHypervisors(): Promise<HypervisorsReport> {
  const hypervisors: HypervisorReport[] = [];
  for (const name of names) hypervisors.push(await findOne(name));
  return { hypervisors, chosen: hypervisors.find(({ usable }) => usable)?.name ?? null };
}

async function findOne(name: HypervisorName): Promise<HypervisorReport> {
  try {
    const output = await runTool(findHypervisor(name), ["--version"], {
      what: `ask ${name} for its version`,
      timeoutMs: VERSION_TIMEOUT_MS,
    });
    const version = output.toString("utf8").split("\n", 1)[0]?.trim() ?? "";
    return name === "qemu"
      ? {
          name,
          version,
          accelerator: "tcg",
          usable: true,
          reason: "it can emulate; KVM was not tried",
        }
      : {
          name,
          version,
          accelerator: "kvm",
          usable: false,
          reason: "whether KVM runs guests here was not tried",
        };
  } catch (error) {
    if (!(error instanceof VirgaError)) throw error;
    return { name, version: null, accelerator: null, usable: false, reason: error.message };
  }
}
