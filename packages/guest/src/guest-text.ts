const maxBytes = 1_024;

// C0, DEL and C1 controls steer terminals; the others reorder or break lines of what a person reads.
// oxlint-disable-next-line no-control-regex -- matching control characters is the purpose
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Makes text from the guest fit for an error message: at most 1,024 bytes, control characters escaped. */
export function guestText(text: string): string {
  return cut(text).replace(unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

function cut(text: string): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  // Step back to the start of the character that would be cut in two.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.toString("utf8", 0, end)}…`;
}
