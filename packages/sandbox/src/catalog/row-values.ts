import type { ProcessIdentity } from "@virga/vm";
import type { SandboxIntent, SandboxSpec } from "./rows.ts";

/** Columns of one row, as SQLite gives them. */
export type Columns = Readonly<Record<string, unknown>>;

const MAX_LENGTH = 150;

/** Thrown for what is in a row and should not be; says where and what, in one short line. */
export class DamagedValue extends Error {
  constructor(where: string, value: unknown, options?: ErrorOptions) {
    const sentence = `${where} is ${JSON.stringify(value) ?? typeof value}`;
    super(sentence.length > MAX_LENGTH ? `${sentence.slice(0, MAX_LENGTH)}…` : sentence, options);
  }
}

type Check<T> = (value: unknown) => value is T;

const isText: Check<string> = (value) => typeof value === "string";
const isFlag: Check<boolean> = (value) => typeof value === "boolean";
const isCount: Check<number> = (value): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
const isNumber: Check<number> = (value): value is number => Number.isFinite(value);

/** A text column. */
export function text(columns: Columns, column: string): string {
  return checked(isText, columns[column], column);
}

/** A text column that may be null. */
export function textOrNull(columns: Columns, column: string): string | null {
  return columns[column] === null ? null : text(columns, column);
}

/** A column of a number, not negative, that may be null. */
export function countOrNull(columns: Columns, column: string): number | null {
  return columns[column] === null ? null : checked(isCount, columns[column], column);
}

/** A text column that holds one of these words. */
export function word<T extends string>(columns: Columns, column: string, words: readonly T[]): T {
  const value = text(columns, column);
  const found = words.find((candidate) => candidate === value);
  if (found === undefined) throw new DamagedValue(column, value);
  return found;
}

/** The owner's column. */
export function identityOrNull(columns: Columns, column: string): ProcessIdentity | null {
  if (columns[column] === null) return null;
  const value = object(columns, column);
  checked(isCount, value["pid"], `${column}.pid`);
  for (const key of ["startTime", "bootId", "pidNamespace"])
    checked(isText, value[key], `${column}.${key}`);
  return value as unknown as ProcessIdentity;
}

/** The intent's column. */
export function intentOrNull(columns: Columns, column: string): SandboxIntent | null {
  if (columns[column] === null) return null;
  const value = object(columns, column);
  const { kind } = value;
  if (kind === "suspend" || kind === "snapshot")
    checked(isFlag, value["wasPaused"], `${column}.wasPaused`);
  if (kind === "snapshot") checked(isText, value["snapshot"], `${column}.snapshot`);
  if (!["create", "pause", "suspend", "resume", "snapshot", "destroy"].includes(String(kind)))
    throw new DamagedValue(`${column}.kind`, kind);
  return value as unknown as SandboxIntent;
}

/** The column of step times. */
export function timings(columns: Columns, column: string): Record<string, number> {
  const value = object(columns, column);
  for (const [key, ms] of Object.entries(value)) checked(isNumber, ms, `${column}.${key}`);
  return value as Record<string, number>;
}

/** The column of what a sandbox was made as. */
export function spec(columns: Columns, column: string): SandboxSpec {
  const value = object(columns, column);
  const check = (valid: Check<unknown>, ...keys: (keyof SandboxSpec)[]): void => {
    for (const key of keys) checked(valid, value[key], `${column}.${key}`);
  };
  const orNull = (valid: Check<unknown>): Check<unknown> => {
    return (given): given is unknown => given === null || valid(given);
  };
  const isOneOf = (...words: readonly string[]): Check<unknown> => {
    return (given): given is unknown => typeof given === "string" && words.includes(given);
  };
  check(isText, "image", "user", "workdir", "hostname", "machineId");
  check(orNull(isText), "imageDigest");
  check(isOneOf("cloud-hypervisor", "qemu"), "hypervisor");
  check(isOneOf("kvm", "tcg"), "accelerator");
  check(isOneOf("none", "internet"), "network");
  check(isCount, "vcpus", "memoryMib");
  check(orNull(isCount), "diskMib");
  check(isFlag, "balloon");
  check(areTexts, "command");
  check((given): given is unknown => isObject(given) && areTexts(Object.values(given)), "env");
  return value as unknown as SandboxSpec;
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function object(columns: Columns, column: string): Record<string, unknown> {
  const content = text(columns, column);
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw new DamagedValue(`${column} is no JSON: it`, content, { cause });
  }
  return checked(isObject, value, column);
}

function checked<T>(check: Check<T>, value: unknown, where: string): T {
  if (check(value)) return value;
  throw new DamagedValue(where, value);
}
