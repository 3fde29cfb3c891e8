import { VERSION as guest } from "@virga/guest";
import { VERSION as vm } from "@virga/vm";
import { VERSION as sandbox } from "./version.ts";

/** Versions of the packages that make up Virga, as loaded by this process. */
export interface ComponentVersions {
  readonly sandbox: string;
  readonly vm: string;
  readonly guest: string;
}

/** Tells which version of each of Virga's packages this process has loaded; they should agree. */
export function componentVersions(): ComponentVersions {
  return { sandbox, vm, guest };
}
