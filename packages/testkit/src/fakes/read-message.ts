/** What a message of the agent's protocol holds. */
export type MessageValue =
  | null
  | boolean
  | number
  | string
  | Buffer
  | readonly MessageValue[]
  | { readonly [key: string]: MessageValue };

/** Reads one value of the MessagePack that PROTOCOL.md allows. Written against that page, and not with the host's side of it. Throws for anything else. */
export function readMessage(bytes: Buffer): MessageValue {
  let at = 0;
  const uint = (length: number): number => {
    const value = bytes.readUIntBE(at, length);
    at += length;
    return value;
  };
  const raw = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError("a message that is cut off");
    at += length;
    return bytes.subarray(at - length, at);
  };
  const list = (length: number): MessageValue[] => Array.from({ length }, () => value());
  const map = (length: number): { readonly [key: string]: MessageValue } =>
    Object.fromEntries(Array.from({ length }, () => [key(), value()]));
  const key = (): string => {
    const text = value();
    if (typeof text !== "string") throw new RangeError("a key that is no text");
    return text;
  };
  const value = (): MessageValue => {
    const form = uint(1);
    if (form < 0x80) return form;
    if (form < 0x90) return map(form & 0x0f);
    if (form < 0xa0) return list(form & 0x0f);
    if (form < 0xc0) return raw(form & 0x1f).toString("utf8");
    if (form >= 0xe0) return form - 0x100;
    switch (form) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return form === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return raw(uint(2 ** (form - 0xc4)));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return uint(2 ** (form - 0xcc));
      case 0xcf:
        return Number(raw(8).readBigUInt64BE());
      case 0xd0:
        return raw(1).readInt8();
      case 0xd1:
        return raw(2).readInt16BE();
      case 0xd2:
        return raw(4).readInt32BE();
      case 0xd3:
        return Number(raw(8).readBigInt64BE());
      case 0xd9:
      case 0xda:
      case 0xdb:
        return raw(uint(2 ** (form - 0xd9))).toString("utf8");
      case 0xdc:
      case 0xdd:
        return list(uint(form === 0xdc ? 2 : 4));
      case 0xde:
      case 0xdf:
        return map(uint(form === 0xde ? 2 : 4));
      default:
        throw new RangeError(`no form of a message: ${form}`);
    }
  };
  return value();
}
