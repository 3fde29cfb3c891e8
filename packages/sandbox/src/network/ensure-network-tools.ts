import type { Home } from "../home.ts";
import { missingRequirements, requirements } from "../setup/requirements.ts";
import type { SetupEvent } from "../setup/setup-options.ts";

/** Whom to tell of the set-up, and what ends it. */
export interface NetworkToolsOptions {
  readonly onSetup?: (event: SetupEvent) => void;
  readonly signal?: AbortSignal;
}

/** Installs what a network needs, where it is missing. What that takes is loaded then only. `SETUP_NEEDED` and `SETUP_FAILED` as `ensureTools`. */
export async function ensureNetworkTools(
  home: Home,
  { onSetup, signal }: NetworkToolsOptions,
): Promise<void> {
  if ((await missingRequirements(requirements.network)).length === 0) return;
  const { ensureTools } = await import("../setup/setup.ts");
  await ensureTools({ tools: ["network"], home, signal, ...(onSetup && { onEvent: onSetup }) });
}
