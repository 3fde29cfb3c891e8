import { join } from "node:path";
import { DEFAULTS, applyDefaults } from "./config/defaults.ts";
import { configError } from "./config/problem.ts";
import type { ConfigProblem } from "./config/problem.ts";
import { validateConfig } from "./config/validate.ts";
import { isRecord } from "./config/value-check.ts";
import type { ResolvedVmConfig, VmConfig } from "./config/vm-config.ts";
import { socketProblem } from "./directory.ts";
import { limitProblems } from "./machine-limits.ts";

/** What a configuration depends on beside itself. */
export interface ResolveContext {
  /** Directory below which VMs have their directories. */
  readonly directory: string;
  /** Whether VMMs get namespaces of their own. Asked for of valid configurations only. */
  readonly isolated: () => Promise<boolean>;
}

/** Checks a configuration, by itself and against what this machine has, and applies every default. `INVALID_CONFIG` names every problem at once. */
export async function resolveConfig(
  config: VmConfig,
  purpose: "boot" | "restore",
  { directory, isolated }: ResolveContext,
): Promise<ResolvedVmConfig> {
  const problems = validateConfig(config, purpose);
  const wrong = new Set(problems.map(({ path }) => path));
  const here = isRecord(config) ? problemsHere(config, directory, wrong) : [];
  if (problems.length + here.length > 0) throw configError([...problems, ...here]);
  return applyDefaults(config, { directory, isolated: await isolated() });
}

/** What is more than this machine has, and what does not fit into it. A field that is `wrong` already is not told of twice. */
function problemsHere(
  { vcpus, memoryMib, sandboxId, vmDirectory, socketPath }: VmConfig,
  directory: string,
  wrong: ReadonlySet<string>,
): ConfigProblem[] {
  const problems = limitProblems({
    vcpus: vcpus ?? DEFAULTS.vcpus,
    memoryMib: memoryMib ?? DEFAULTS.memoryMib,
  });
  const isPlaceKnown =
    vmDirectory === undefined ? !wrong.has("sandboxId") : !wrong.has("vmDirectory");
  const place = isPlaceKnown ? (vmDirectory ?? join(directory, sandboxId)) : undefined;
  const name = wrong.has("socketPath") ? undefined : socketPath;
  const socket = place === undefined ? undefined : socketProblem(place, name);
  if (socket !== undefined) problems.push(socket);
  return problems.filter(({ path }) => !wrong.has(path));
}
