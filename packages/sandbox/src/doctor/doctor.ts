import { release, version } from "node:os";
import { errorText } from "@virga/vm";
import { homePaths } from "../home.ts";
import { nativeSources } from "../setup/native.ts";
import type { Check, CheckDefinition, DoctorContext } from "./check.ts";
import { hostChecks } from "./host-checks.ts";
import { kvmChecks } from "./kvm-checks.ts";
import { leftoverChecks } from "./leftover-checks.ts";
import { reflinkCheck } from "./reflink-check.ts";
import { setupChecks } from "./setup-checks.ts";

/** A hypervisor that was looked for. */
export interface HypervisorReport {
  readonly name: string;
  /** What it calls itself; null when it is not there. */
  readonly version: string | null;
  readonly accelerator: string | null;
  readonly usable: boolean;
  /** Why it is usable or not, in one sentence. */
  readonly reason: string;
}

/** What looking for hypervisors came to. */
export interface HypervisorsReport {
  readonly hypervisors: readonly HypervisorReport[];
  /** The one that `auto` picks; null when none is usable. */
  readonly chosen: string | null;
  /** What asking them showed of this machine, judged. None of it is essential. */
  readonly checks: readonly Check[];
}

/** All that is known about this machine. */
export interface DoctorReport extends HypervisorsReport {
  /** Whether VMs can run here: each essential check holds and a hypervisor is usable. */
  readonly ok: boolean;
}

/** What doctor needs beside the machine. */
export interface DoctorOptions {
  /** Looks for hypervisors and tries them. */
  readonly probe: () => Promise<HypervisorsReport>;
  /** For tests: another machine than this one. */
  readonly context?: Partial<DoctorContext>;
  /** Default: all. */
  readonly checks?: readonly CheckDefinition[];
}

const allChecks = [...setupChecks, ...leftoverChecks, ...hostChecks, reflinkCheck, ...kvmChecks];

/** Looks at this machine and changes nothing. A check that cannot be carried out counts as failed, with the reason. */
export async function doctor(options: DoctorOptions): Promise<DoctorReport> {
  const context: DoctorContext = { ...thisMachine(), ...options.context };
  const checks: Check[] = [];
  let essential = true;
  for (const definition of options.checks ?? allChecks) {
    const result = await definition.run(context).catch((error: unknown) => ({
      ok: false,
      detail: `it could not be checked: ${errorText(error)}`,
    }));
    checks.push({ name: definition.name, ...result });
    essential &&= result.ok || !definition.essential;
  }
  const { hypervisors, chosen, checks: more } = await options.probe();
  checks.push(...more);
  return { ok: essential && chosen !== null, checks, hypervisors, chosen };
}

function thisMachine(): DoctorContext {
  const uid = process.geteuid?.() ?? -1;
  return {
    home: homePaths(),
    machine: { root: uid === 0, nativeSources: nativeSources() },
    root: "/",
    nodeVersion: process.versions.node,
    processor: process.arch,
    kernelRelease: release(),
    kernelVersion: version(),
    uid,
  };
}
