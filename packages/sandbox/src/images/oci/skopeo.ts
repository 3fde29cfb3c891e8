import { VirgaError } from "@virga/vm";
import { runTool } from "../../setup/run-tool.ts";
import type { ImageReference } from "./image-reference.ts";

const INSPECT_MS = 5 * 60_000;
const COPY_MS = 12 * 3_600_000;
const MAX_MANIFEST_BYTES = 4 * 2 ** 20;
/** Names of this machine's architecture in the world of containers. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** The manifest, or the list of manifests, that a reference stands for now, as it is. `IO_ERROR` with skopeo's words. */
export async function inspectManifest(
  reference: ImageReference,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const tls = reference.isLoopback ? ["--tls-verify=false"] : [];
  return skopeo(["inspect", "--raw", ...tls, reference.source], `find ${reference.name}`, {
    timeoutMs: INSPECT_MS,
    maxOutputBytes: MAX_MANIFEST_BYTES,
    signal,
  });
}

/** Copies an image into the OCI layout `directory`. Layers that are there already are not fetched again; all are checked against their digests. */
export async function copyToLayout(
  source: string,
  directory: string,
  options: { readonly isLoopback: boolean; readonly signal: AbortSignal | undefined },
): Promise<void> {
  await skopeo(
    [
      "copy",
      ...(options.isLoopback ? ["--src-tls-verify=false"] : []),
      source,
      `oci:${directory}:image`,
    ],
    `pull ${source}`,
    { timeoutMs: COPY_MS, signal: options.signal },
  );
}

async function skopeo(
  args: readonly string[],
  what: string,
  options: {
    readonly timeoutMs: number;
    readonly maxOutputBytes?: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Buffer> {
  // What is pulled is known by its digest; who signed it is the user's to judge. Credentials are looked for where podman and docker keep them.
  const common = ["--insecure-policy", "--override-os", "linux"];
  const architecture = ["--override-arch", ARCHITECTURES[process.arch] ?? process.arch];
  try {
    return await runTool("skopeo", [...common, ...architecture, ...args], { what, ...options });
  } catch (error) {
    if (!(error instanceof VirgaError) || error.code !== "SETUP_FAILED") throw error;
    const said = typeof error.details["tail"] === "string" ? error.details["tail"] : "";
    const words = /level=fatal msg="((?:[^"\\]|\\.)*)"/u.exec(said)?.[1]?.replaceAll('\\"', '"');
    throw new VirgaError("IO_ERROR", `Cannot ${what}: ${words ?? error.message}`, {
      cause: error,
      details: error.details,
    });
  }
}
