import { VirgaError } from "@virga/vm";

/** Looks something up by a name that may be mistyped: the error of one that is not there says which of `names` is meant, where one is close. */
export async function withSuggestion<T>(
  name: string,
  find: () => Promise<T>,
  names: () => Promise<readonly string[]>,
): Promise<T> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof VirgaError) || !isNotFound(error)) throw error;
    const meant = closest(name, await names().catch(() => []));
    if (meant === undefined) throw error;
    const { code, details } = error;
    throw new VirgaError(code, error.message, {
      cause: error,
      details,
      hint: `Did you mean ${meant}?`,
    });
  }
}

function isNotFound({ code }: VirgaError): boolean {
  return code === "VM_NOT_FOUND" || code === "NOT_FOUND";
}

/** The name that differs by the fewest letters, if by few enough. */
function closest(name: string, names: readonly string[]): string | undefined {
  const [best] = names
    .map((other) => ({ other, distance: editDistance(name, other) }))
    .toSorted((a, b) => a.distance - b.distance);
  const most = Math.max(1, Math.floor(name.length / 3));
  return best !== undefined && best.distance <= most ? best.other : undefined;
}

/** How many letters must be added, left out, replaced, or swapped with the next. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(
          at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          isSwap ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(a.length, b.length);
}
