import type { ImageListing } from "@virga/sandbox";

/** What `--json` tells of an image. */
export function imageJson({ record, names, base }: ImageListing): Record<string, unknown> {
  const { digest, createdAt, source, user, workdir, environment, command } = record;
  return {
    names,
    digest,
    createdAt,
    source,
    bytes: record.base.bytes,
    user,
    workdir,
    environment,
    command,
    base,
  };
}
