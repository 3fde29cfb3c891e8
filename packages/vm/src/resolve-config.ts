import { applyDefaults } from "./config/defaults.ts";
import type { DefaultsContext } from "./config/defaults.ts";
import { configError } from "./config/problem.ts";
import { validateConfig } from "./config/validate.ts";
import type { ResolvedVmConfig, VmConfig } from "./config/vm-config.ts";
import { limitProblems } from "./machine-limits.ts";

/** Checks a configuration, by itself and then against what this machine has, and applies every default. `INVALID_CONFIG` names every problem at once. */
export async function resolveConfig(
  config: VmConfig,
  purpose: "boot" | "restore",
  context: () => Promise<DefaultsContext>,
): Promise<ResolvedVmConfig> {
  const problems = validateConfig(config, purpose);
  if (problems.length > 0) throw configError(problems);
  const resolved = applyDefaults(config, await context());
  const excess = limitProblems(resolved);
  if (excess.length > 0) throw configError(excess);
  return resolved;
}
