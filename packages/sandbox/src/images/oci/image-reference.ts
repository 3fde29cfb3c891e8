import { basename, isAbsolute, resolve } from "node:path";
import { VirgaError } from "@virga/vm";

/** Where an image is pulled from. */
export interface ImageReference {
  /** As skopeo takes it. */
  readonly source: string;
  /** The same, for one certain manifest; undefined where the transport has no such form. */
  readonly pinned: (digest: string) => string | undefined;
  /** The name an image gets where nobody says otherwise. */
  readonly name: string;
  /** Whether the registry is this machine: then it need not have a certificate. */
  readonly isLoopback: boolean;
}

const LOCAL = ["oci", "oci-archive", "docker-archive"] as const;

/**
 * Reads a reference: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:NAME]`, `docker://NAME`, or a NAME alone, which is a registry's. Paths count from
 * `directory`. `INVALID_ARGUMENT` for another transport, or what no name is.
 */
export function parseReference(text: string, directory: string): ImageReference {
  const transport = LOCAL.find((each) => text.startsWith(`${each}:`));
  if (transport !== undefined) return local(transport, text.slice(transport.length + 1), directory);
  const name = text.replace(/^docker:\/\//u, "");
  if (!/^[a-z0-9][a-z0-9._-]*(?::\d+)?(?:[/:@][a-z0-9._:@-]+)*$/iu.test(name)) {
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `${JSON.stringify(text)} is not an image: it is a name such as debian:12, or begins with docker://, oci:, oci-archive: or docker-archive:`,
      { details: { reference: text } },
    );
  }
  // A colon of its last part is a tag's, any before it a port's.
  const repository = name.replace(/@.*$/u, "").replace(/:[^:/]*$/u, "");
  return {
    source: `docker://${name}`,
    pinned: (digest) => `docker://${repository}@${digest}`,
    name,
    isLoopback: /^(?:localhost|127(?:\.\d{1,3}){3})(?::\d+)?\//u.test(name),
  };
}

function local(transport: string, rest: string, directory: string): ImageReference {
  const [, path = "", tag = ""] = /^([^:]*)(?::(.*))?$/su.exec(rest) ?? [];
  if (path === "" || rest.includes("\0")) {
    throw new VirgaError("INVALID_ARGUMENT", `"${transport}:${rest}" names no file`, {
      details: { reference: `${transport}:${rest}` },
    });
  }
  const file = isAbsolute(path) ? path : resolve(directory, path);
  if (file.includes(":")) {
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `"${transport}:${rest}" is ${file}, whose colon skopeo would take for the beginning of a tag: name it from a directory without one`,
      { details: { reference: `${transport}:${rest}`, path: file } },
    );
  }
  const named = tag.includes("/") || tag.includes(":") ? tag : undefined;
  const stem = basename(file).replace(/\.tar$/u, "");
  return {
    source: `${transport}:${file}${tag && `:${tag}`}`,
    pinned: () => undefined,
    name: named ?? (tag === "" ? stem : `${stem}:${tag}`),
    isLoopback: false,
  };
}
