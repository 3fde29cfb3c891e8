import { VirgaError } from "@virga/vm";

/** How long a guest may take to answer: what was given, else what `VIRGA_GUEST_TIMEOUT_MS` says, else undefined. */
export function chooseGuestTimeout(
  given: { readonly guestTimeoutMs?: number },
  env: NodeJS.ProcessEnv = process.env,
): number | undefined {
  return given.guestTimeoutMs ?? settingMs(env["VIRGA_GUEST_TIMEOUT_MS"]);
}

/** A setting in milliseconds; undefined for no setting. `INVALID_CONFIG` for anything but a whole number from 1. */
function settingMs(setting: string | undefined): number | undefined {
  if (setting === undefined || setting === "") return undefined;
  // Timers know no longer times.
  if (/^[1-9]\d{0,8}$/u.test(setting)) return Number(setting);
  throw new VirgaError(
    "INVALID_CONFIG",
    `VIRGA_GUEST_TIMEOUT_MS is "${setting}": it must be a whole number of milliseconds, from 1 to 999999999`,
  );
}
