const MIB = 2 ** 20;
/** As many characters of an id as are likely to name only one. */
const SHORT_ID = 8;

/** A size in a table, rounded up. */
export function mibText(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

/** The beginning of an id. */
export function shortId(id: string): string {
  return id.slice(0, SHORT_ID);
}
