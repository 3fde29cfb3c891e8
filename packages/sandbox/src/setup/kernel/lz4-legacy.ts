const MAGIC = 0x184c2102;
const BLOCK_BYTES = 8 << 20;

/** The first bytes of the format. */
export const LZ4_LEGACY_MAGIC: Buffer = Buffer.from([0x02, 0x21, 0x4c, 0x18]);

/**
 * Unpacks LZ4's legacy frame format, which Linux kernels are packed with; Node has no LZ4. Fails with a `RangeError` on anything that is not
 * that format or that unpacks to more than `maxBytes`.
 */
export function unpackLz4Legacy(packed: Buffer, maxBytes: number): Buffer {
  if (packed.length < 4 || packed.readUInt32LE(0) !== MAGIC) {
    throw new RangeError("not an LZ4 legacy frame");
  }
  const blocks: Buffer[] = [];
  let total = 0;
  let at = 4;
  while (at < packed.length) {
    if (at + 4 > packed.length) throw new RangeError("LZ4 frame ends inside a block size");
    const size = packed.readUInt32LE(at);
    at += 4;
    // Frames may follow each other.
    if (size === MAGIC) continue;
    if (size === 0 || at + size > packed.length) {
      throw new RangeError("LZ4 block reaches beyond the frame");
    }
    const block = unpackBlock(packed.subarray(at, at + size));
    at += size;
    total += block.length;
    if (total > maxBytes) throw new RangeError(`LZ4 frame unpacks to more than ${maxBytes} bytes`);
    blocks.push(block);
  }
  return Buffer.concat(blocks);
}

function unpackBlock(source: Buffer): Buffer {
  const target = Buffer.alloc(BLOCK_BYTES);
  let from = 0;
  let to = 0;
  const byte = (): number => {
    const value = source[from++];
    if (value === undefined) throw new RangeError("LZ4 block ends early");
    return value;
  };
  const length = (start: number): number => {
    let value = start;
    if (start < 15) return value;
    for (;;) {
      const more = byte();
      value += more;
      if (more < 255) return value;
    }
  };
  while (from < source.length) {
    const token = byte();
    const literals = length(token >> 4);
    if (from + literals > source.length || to + literals > BLOCK_BYTES) {
      throw new RangeError("LZ4 literals reach beyond the block");
    }
    source.copy(target, to, from, from + literals);
    from += literals;
    to += literals;
    // The last sequence has no match.
    if (from === source.length) break;
    const offset = byte() | (byte() << 8);
    const match = length(token & 15) + 4;
    if (offset === 0 || offset > to || to + match > BLOCK_BYTES) {
      throw new RangeError("LZ4 match reaches beyond the block");
    }
    if (offset >= match) {
      target.copyWithin(to, to - offset, to - offset + match);
      to += match;
    } else {
      // The match overlaps what it makes: byte by byte, as the format means it.
      for (const end = to + match; to < end; to++) target[to] = target[to - offset] ?? 0;
    }
  }
  return target.subarray(0, to);
}
