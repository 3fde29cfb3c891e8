import { writeFileSync, writeSync } from "node:fs";

const STDOUT = 1;
const DEFAULT_MEMORY_BYTES = 512 * 2 ** 20;

/** The parts of Cloud Hypervisor's VmConfig that the fake looks at. */
export interface ChConfig {
  readonly cpus?: { readonly boot_vcpus: number; readonly max_vcpus: number };
  readonly memory?: {
    readonly size?: number;
    readonly shared?: boolean;
    readonly zones?: readonly {
      readonly size: number;
      readonly file?: string;
      readonly shared?: boolean;
    }[];
  };
  readonly payload?: { readonly kernel?: string; readonly initramfs?: string };
  readonly disks?: readonly {
    readonly path: string;
    readonly readonly?: boolean;
    readonly id?: string;
  }[];
  readonly net?: readonly unknown[];
  readonly vsock?: { readonly cid: number; readonly socket: string };
  readonly balloon?: { readonly size: number };
  readonly console?: { readonly mode: string; readonly file?: string };
  readonly serial?: { readonly mode: string; readonly file?: string };
}

/** The real one truncates its output files at each create and restore. */
export function openOutputs(config: ChConfig): void {
  for (const output of [config.console, config.serial]) {
    if (output?.mode === "File" && output.file !== undefined) writeFileSync(output.file, "");
  }
}

/** Appends to the VM's console, wherever that goes. */
export function printOn(config: ChConfig, text: string): void {
  for (const output of [config.console, config.serial]) {
    if (output?.mode === "Tty") writeSync(STDOUT, text);
    if (output?.mode === "File" && output.file !== undefined)
      writeFileSync(output.file, text, { flag: "a" });
  }
}

/** Bytes of the guest's memory. */
export function memoryBytes(config: ChConfig): number {
  const zones = config.memory?.zones ?? [];
  if (zones.length === 0) return config.memory?.size ?? DEFAULT_MEMORY_BYTES;
  return zones.reduce((sum, zone) => sum + zone.size, 0);
}

/** The file that is the memory itself, when a zone maps one shared. */
export function sharedFile(config: ChConfig): string | undefined {
  return config.memory?.zones?.find((zone) => zone.shared === true)?.file;
}
