import { VirgaError, snapshotUsers, virgaCommand } from "@virga/vm";
import type { Catalog } from "../catalog/catalog.ts";
import type { SandboxRow, SnapshotRow } from "../catalog/rows.ts";
import type { Home } from "../home.ts";
import { snapshotPaths } from "./snapshot-paths.ts";

/** Where to look for who needs what. */
export interface ReferenceTools {
  readonly home: Home;
  readonly catalog: Catalog;
}

/** Who needs something that is to be removed. */
export interface Reference {
  readonly kind: "sandbox" | "snapshot";
  readonly id: string;
  readonly name: string | null;
}

/** Who needs a snapshot: sandboxes that are being made from it, and those whose VM goes on from it. */
export async function whoNeedsSnapshot(tools: ReferenceTools, id: string): Promise<Reference[]> {
  const { catalog, home } = tools;
  const clones = catalog.sandboxes.clonesOf(id);
  const making = clones.filter(({ phase }) => phase === "creating").map((row) => row.id);
  const users = (await snapshotUsers(home.vms)).get(snapshotPaths(home, id).memory) ?? [];
  return [...new Set([...making, ...users])].map((user) => ({
    kind: "sandbox",
    id: user,
    name: catalog.sandboxes.get(user)?.name ?? null,
  }));
}

/** Who needs an image: sandboxes and snapshots of it. A row that cannot be read counts as well. */
export function whoNeedsImage(catalog: Catalog, digest: string): Reference[] {
  const needs = ({ spec }: SandboxRow | SnapshotRow): boolean => spec.imageDigest === digest;
  const reference =
    (kind: Reference["kind"]) =>
    ({ id, name }: Omit<Reference, "kind">): Reference => ({ kind, id, name });
  return [
    ...catalog.sandboxes.list().filter(needs).map(reference("sandbox")),
    ...catalog.snapshots.list().filter(needs).map(reference("snapshot")),
    ...catalog.damaged
      .list()
      .filter(({ content }) => content.includes(digest))
      .map(({ kind, ...row }) => reference(kind)(row)),
  ];
}

/** The error of removing what somebody needs. `what` is as in "snapshot "x"". */
export function inUseError(what: string, users: readonly Reference[]): VirgaError {
  const listed = users.map(
    ({ kind, id, name }) => `${kind} ${name === null ? id : `${name} (${id})`}`,
  );
  return new VirgaError("IN_USE", `Cannot remove ${what}: it is needed by ${listed.join(", ")}`, {
    details: { users },
    hint: `Remove what needs it first: ${virgaCommand("rm")}, ${virgaCommand("snapshot rm")}.`,
  });
}
