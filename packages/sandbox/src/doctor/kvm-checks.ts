import { constants } from "node:fs";
import { access, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "@virga/vm";
import type { Check, CheckDefinition, DoctorContext } from "./check.ts";
import { KVM_ESCAPES, escapeState, kernelVersionOf, type EscapeState } from "./kvm-escapes.ts";

const device: CheckDefinition = {
  name: "kvm",
  essential: false,
  run: async ({ root }) => {
    const path = join(root, "dev/kvm");
    try {
      await (await open(path, constants.O_RDWR)).close();
      return { ok: true, detail: `${path} can be opened` };
    } catch (error) {
      if (errnoOf(error) === "ENOENT") {
        return {
          ok: false,
          detail:
            "this machine offers no KVM: guests are emulated, which is slower and runs everywhere",
          fix: "Turn on virtualisation in the firmware, or nested virtualisation where this is itself a virtual machine",
        };
      }
      return {
        ok: false,
        detail: `${path} cannot be opened: ${errnoOf(error) ?? "unknown error"}`,
        fix: "sudo usermod -aG kvm $USER, and log in again",
      };
    }
  },
};

const nesting: CheckDefinition = {
  name: "nested-kvm",
  essential: false,
  run: async (context) => {
    const module = await nestingModule(context);
    if (module === undefined)
      return { ok: true, detail: "guests are not offered KVM of their own" };
    return {
      ok: false,
      detail: `${module} offers guests KVM of their own; Virga turns it off for its guests, other programs on this host may not`,
      fix: `echo "options ${module} nested=0" | sudo tee /etc/modprobe.d/virga-nested.conf, and load the module anew`,
    };
  },
};

const escapes: CheckDefinition = {
  name: "kvm-escapes",
  essential: false,
  run: async (context) => {
    if (!(await isThere(join(context.root, "dev/kvm")))) {
      return { ok: true, detail: "no KVM, so no way out through it" };
    }
    return judgeEscapes(context);
  },
};

/** What KVM this machine has, and what is known about its safety. */
export const kvmChecks: readonly CheckDefinition[] = [device, nesting, escapes];

async function judgeEscapes(context: DoctorContext): Promise<Omit<Check, "name">> {
  const { processor, kernelRelease, kernelVersion } = context;
  const kernel = kernelVersionOf(kernelRelease, kernelVersion);
  // PVM runs guests by the same code that serves nested guests.
  const pvm = await isThere(join(context.root, "sys/module/kvm_pvm"));
  const exposed = pvm || (await nestingModule(context)) !== undefined;
  const found: Record<EscapeState, string[]> = { fixed: [], vulnerable: [], unknown: [] };
  for (const escape of KVM_ESCAPES) {
    if (!escape.processors.includes(processor) || (escape.needsNesting && !exposed)) continue;
    found[kernel === undefined ? "unknown" : escapeState(escape, kernel)].push(escape.id);
  }
  const name = kernel === undefined ? kernelRelease : `${kernel.series}.${kernel.release}`;
  const parts: string[] = [];
  if (found.vulnerable.length > 0) parts.push(`${name} has ${found.vulnerable.join(", ")}`);
  if (found.unknown.length > 0) {
    parts.push(`no fix in the series of ${name} is known for ${found.unknown.join(", ")}`);
  }
  if (parts.length === 0) return { ok: true, detail: `${name} has no known way out of a guest` };
  const because = pvm ? " (its KVM is PVM)" : "";
  return {
    ok: false,
    detail: parts.join("; ") + because,
    fix: "Upgrade the host's kernel, and see your distribution's advisories: it may have the fix under an older number",
  };
}

async function nestingModule({ root }: DoctorContext): Promise<string | undefined> {
  for (const module of ["kvm_intel", "kvm_amd"]) {
    const file = join(root, "sys/module", module, "parameters/nested");
    const value = await readFile(file, "utf8").catch(() => "");
    if (["1", "Y"].includes(value.trim())) return module;
  }
  return undefined;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
