import { VirgaError } from "@virga/vm";

const MIB = 1024 * 1024;

/** The limit of the template cache as a setting in MiB gives it; undefined for no setting. `INVALID_CONFIG` for anything but a whole number of MiB. */
export function templateCacheBytes(setting: string | undefined): number | undefined {
  if (setting === undefined || setting === "") return undefined;
  if (/^\d{1,9}$/u.test(setting)) return Number(setting) * MIB;
  throw new VirgaError(
    "INVALID_CONFIG",
    `VIRGA_TEMPLATE_CACHE_MIB is "${setting}": it must be a whole number of MiB`,
  );
}
