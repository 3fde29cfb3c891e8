import type { ConfigProblem } from "./problem.ts";

/** A `T` as it was given: every field may be anything, or not there. */
export type Unchecked<T> = { readonly [Key in keyof T]?: unknown };

/** Whether a value is an object, and no array. */
export function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Checks values of any kind, and keeps what is wrong with them. */
export class ValueCheck {
  readonly problems: ConfigProblem[] = [];

  that(ok: boolean, path: string, value: unknown, allowed: string): void {
    if (!ok) this.problems.push({ path, value, allowed });
  }

  /** False, and a problem, for a value that is missing. */
  given(path: string, value: unknown, allowed: string): boolean {
    this.that(value !== undefined, path, value, allowed);
    return value !== undefined;
  }

  /** False, and a problem, for what has no fields to be looked at. */
  record<T>(path: string, value: unknown): value is Unchecked<T> {
    const ok = isRecord(value);
    this.that(ok, path, value, "an object");
    return ok;
  }

  /** False, and a problem, for what has no elements to be looked at. */
  list(path: string, value: unknown): value is readonly unknown[] {
    const ok = Array.isArray(value);
    this.that(ok, path, value, "an array");
    return ok;
  }

  /** A field that nobody reads is a slip: its value would be ignored. */
  fields(prefix: string, value: object, known: readonly string[]): void {
    for (const [key, given] of Object.entries(value))
      this.that(known.includes(key), `${prefix}${key}`, given, "no such field");
  }

  integer(path: string, value: unknown, minimum: number, maximum: number): void {
    if (value === undefined) return;
    const ok =
      Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
    this.that(ok, path, value, `a whole number from ${minimum} to ${maximum}`);
  }

  path(path: string, value: unknown): void {
    if (value === undefined) return;
    const ok =
      typeof value === "string" &&
      value.startsWith("/") &&
      !value.includes("\0") &&
      value.length < 4096;
    this.that(ok, path, value, "an absolute path");
  }

  oneOf(path: string, value: unknown, allowed: readonly string[]): void {
    if (value === undefined) return;
    this.that(
      typeof value === "string" && allowed.includes(value),
      path,
      value,
      allowed.join(" or "),
    );
  }

  flag(path: string, value: unknown): void {
    this.that(value === undefined || typeof value === "boolean", path, value, "true or false");
  }

  pattern(path: string, value: unknown, pattern: RegExp, allowed: string): void {
    if (value === undefined) return;
    this.that(typeof value === "string" && pattern.test(value), path, value, allowed);
  }
}
