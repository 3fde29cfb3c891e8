/** Names of options that may be given, each with any value: `Record<keyof Options, true>` keeps it whole. */
export type KnownOptions = Readonly<Record<string, true>>;

/** What is longer than any name is none that was mistyped. */
const LONGEST = 64;

/** Says of each option that there is not which one may be meant. One that nobody reads is a slip: its value would be ignored. */
export function unknownOptions(given: object, known: KnownOptions): string[] {
  return Object.keys(given)
    .filter((name) => !Object.hasOwn(known, name))
    .map((name) => {
      const meant = closest(name, Object.keys(known));
      const guess = meant === undefined ? "" : `, did you mean "${meant}"?`;
      return `there is no option ${JSON.stringify(name.slice(0, LONGEST))}${guess}`;
    });
}

/** The name that begins alike, or else differs by the fewest letters, if by few enough. */
function closest(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  if (wanted.length > LONGEST) return undefined;
  const begins = known.find((other) => wanted.length > 2 && other.toLowerCase().startsWith(wanted));
  if (begins !== undefined) return begins;
  const ranked = known
    .map((other) => ({ other, distance: editDistance(wanted, other.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= Math.floor(wanted.length / 3)
    ? best.other
    : undefined;
}

/** How many letters must be added, left out or replaced. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
