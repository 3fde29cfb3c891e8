const ADDRESS = 0x200_000;
const PAGE = 4096;
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
/** Linux's name for the note that tells the 32-bit entry of a PVH kernel. */
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const [PT_LOAD, PT_NOTE] = [1, 4] as const;

/**
 * Makes the bytes of a kernel for x86-64 (PVH) that writes `lastWords` to the serial console and stands still for ever, as a Linux that cannot calibrate
 * its clock does on a busy host, but always, and without taking any time of the processor.
 */
export function hangingKernel(lastWords: string): Buffer {
  const instructions = [
    "fc", // cld
    "be 00 00 00 00", // mov esi, address of the text
    "ac", // next: lodsb
    "84 c0", // test al, al
    "74 07", // jz halt
    "66 ba f8 03", // mov dx, 0x3f8
    "ee", // out dx, al
    "eb f4", // jmp next
    "fa", // halt: cli
    "f4", // hlt
    "eb fc", // jmp halt
  ];
  const code = Buffer.from(instructions.join("").replaceAll(" ", ""), "hex");
  code.writeUInt32LE(ADDRESS + code.length, 2);
  const note = Buffer.alloc(24);
  note.writeUInt32LE(4, 0);
  note.writeUInt32LE(8, 4);
  note.writeUInt32LE(XEN_ELFNOTE_PHYS32_ENTRY, 8);
  note.write("Xen\0", 12, "latin1");
  note.writeBigUInt64LE(BigInt(ADDRESS), 16);
  const text = Buffer.from(`${lastWords}\0`, "latin1");
  const image = Buffer.concat([code, text]);

  const file = Buffer.alloc(PAGE + image.length);
  file.write("\x7fELF\x02\x01\x01", 0, "latin1");
  file.writeUInt16LE(2, 0x10); // an executable
  file.writeUInt16LE(62, 0x12); // for x86-64
  file.writeUInt32LE(1, 0x14);
  file.writeBigUInt64LE(BigInt(ADDRESS), 0x18);
  file.writeBigUInt64LE(BigInt(ELF_HEADER), 0x20);
  file.writeUInt16LE(ELF_HEADER, 0x34);
  file.writeUInt16LE(PROGRAM_HEADER, 0x36);
  file.writeUInt16LE(2, 0x38);
  const noteAt = ELF_HEADER + 2 * PROGRAM_HEADER;
  const segments = [
    { type: PT_LOAD, offset: PAGE, address: ADDRESS, size: image.length, align: PAGE },
    { type: PT_NOTE, offset: noteAt, address: 0, size: note.length, align: 4 },
  ];
  for (const [index, { type, offset, address, size, align }] of segments.entries()) {
    const at = ELF_HEADER + index * PROGRAM_HEADER;
    file.writeUInt32LE(type, at);
    file.writeUInt32LE(7, at + 4); // read, write, execute
    for (const [word, value] of [offset, address, address, size, size, align].entries()) {
      file.writeBigUInt64LE(BigInt(value), at + 8 + word * 8);
    }
  }
  note.copy(file, noteAt);
  image.copy(file, PAGE);
  return file;
}
