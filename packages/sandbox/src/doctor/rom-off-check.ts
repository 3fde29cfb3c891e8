import type { HypervisorProbe } from "@virga/vm";
import type { Check } from "./check.ts";

/** Whether QEMU can map the memory of a template that it may not write to, as it told when it was asked. */
export function romOffCheck(
  probes: readonly Pick<HypervisorProbe, "name" | "version" | "mapsReadOnly">[],
): Check {
  const name = "qemu-rom-off";
  const qemu = probes.find((probe) => probe.name === "qemu" && probe.mapsReadOnly !== null);
  if (qemu === undefined) return { name, ok: true, detail: "there is no QEMU to ask" };
  const what = `QEMU ${qemu.version ?? "of an unknown version"}`;
  return qemu.mapsReadOnly === true
    ? { name, ok: true, detail: `${what} has rom=off: it maps a template's memory read-only` }
    : {
        name,
        ok: false,
        detail: `${what} has no rom=off: it opens the memory that clones share for writing, as the user who runs Virga`,
        fix: "Use a newer QEMU (rom=off came with 8.2)",
      };
}
