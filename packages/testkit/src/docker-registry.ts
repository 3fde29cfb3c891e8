import { join } from "node:path";
import { errorText } from "@virga/vm";
import { prerequisite } from "./prerequisite.ts";
import { unpackedPackages } from "./unpacked-packages.ts";

/** Fetches Debian's `docker-registry`, once per machine, and gives its path. It is not installed: that would start a service of the system's. */
export async function dockerRegistry(): Promise<string> {
  return join(
    await unpackedPackages("test-docker-registry", ["docker-registry"]),
    "usr/bin/docker-registry",
  );
}

/** Why there can be no registry here, as a test's `skip`; `false` when there can. */
export async function dockerRegistryMissing(): Promise<false | string> {
  try {
    await dockerRegistry();
    return prerequisite("docker-registry", undefined);
  } catch (error) {
    return prerequisite("docker-registry", errorText(error));
  }
}
