/** Makes the bytes of a kernel module as far as set-up reads it: an ELF file with a `.modinfo` section. It cannot be loaded. */
export function fakeModule(fields: Readonly<Record<string, string>>): Buffer {
  const modinfo = Buffer.from(
    Object.entries(fields)
      .map(([key, value]) => `${key}=${value}\0`)
      .join(""),
  );
  const names = Buffer.from("\0.modinfo\0.shstrtab\0");
  const header = Buffer.alloc(64);
  header.write("\x7fELF\x02\x01\x01", "latin1");
  const sections = [
    { name: 0, offset: 0, size: 0 },
    { name: 1, offset: 64, size: modinfo.length },
    { name: 10, offset: 64 + modinfo.length, size: names.length },
  ];
  const table = Buffer.alloc(sections.length * 64);
  sections.forEach(({ name, offset, size }, index) => {
    table.writeUInt32LE(name, index * 64);
    table.writeBigUInt64LE(BigInt(offset), index * 64 + 0x18);
    table.writeBigUInt64LE(BigInt(size), index * 64 + 0x20);
  });
  header.writeBigUInt64LE(BigInt(64 + modinfo.length + names.length), 0x28);
  header.writeUInt16LE(64, 0x3a);
  header.writeUInt16LE(sections.length, 0x3c);
  header.writeUInt16LE(2, 0x3e);
  return Buffer.concat([header, modinfo, names, table]);
}
