/** What a kernel module says about itself in its `.modinfo` section. */
export interface ModuleInfo {
  /** Names of the modules that must be loaded before it, normalised. */
  readonly depends: readonly string[];
  /** The kernel release it was built for. */
  readonly release: string;
}

/** The one spelling of a module's name: `virtio-rng` and `virtio_rng` are the same module. */
export function moduleName(name: string): string {
  return name.replaceAll("-", "_");
}

/** Reads `.modinfo` of an uncompressed 64-bit little-endian ELF module. Fails with a `RangeError` on anything else. */
export function readModuleInfo(module: Buffer): ModuleInfo {
  const fields = new Map<string, string>();
  for (const entry of modinfoSection(module).toString("utf8").split("\0")) {
    const equals = entry.indexOf("=");
    if (equals > 0) fields.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  const depends = (fields.get("depends") ?? "").split(",").filter((name) => name !== "");
  return {
    depends: depends.map(moduleName),
    release: (fields.get("vermagic") ?? "").split(" ", 1)[0] ?? "",
  };
}

function modinfoSection(module: Buffer): Buffer {
  if (module.toString("latin1", 0, 6) !== "\x7fELF\x02\x01") {
    throw new RangeError("not a 64-bit little-endian ELF file");
  }
  const table = Number(module.readBigUInt64LE(0x28));
  const entryBytes = module.readUInt16LE(0x3a);
  const count = module.readUInt16LE(0x3c);
  const section = (index: number): { name: number; data: Buffer } => {
    const at = table + index * entryBytes;
    const offset = Number(module.readBigUInt64LE(at + 0x18));
    const size = Number(module.readBigUInt64LE(at + 0x20));
    return { name: module.readUInt32LE(at), data: module.subarray(offset, offset + size) };
  };
  const names = section(module.readUInt16LE(0x3e)).data;
  for (let index = 0; index < count; index++) {
    const { name, data } = section(index);
    if (names.toString("latin1", name, names.indexOf(0, name)) === ".modinfo") return data;
  }
  throw new RangeError("the ELF file has no .modinfo section");
}

const SIGNATURE_MARK = "~Module signature appended~\n";

/**
 * Gives the module without its appended signature. Checking it costs an emulated guest some milliseconds per module, and protects nothing there: whoever
 * can change the initramfs can change the kernel beside it.
 */
export function withoutSignature(module: Buffer): Buffer {
  const end = module.length - SIGNATURE_MARK.length;
  if (end < 12 || module.toString("latin1", end) !== SIGNATURE_MARK) return module;
  // struct module_signature: its last field is the length of the signature before it, big-endian.
  const start = end - 12 - module.readUInt32BE(end - 4);
  return start > 0 ? module.subarray(0, start) : module;
}
