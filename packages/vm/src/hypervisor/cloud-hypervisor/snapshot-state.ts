import { VirgaError } from "../../errors.ts";

/** A piece of guest memory that `memory-ranges` holds, one after the other in the order of the table. */
interface MemoryRange {
  readonly gpa: number;
  readonly length: number;
}

/** A piece of guest memory and its place in the zone's file. */
interface MemoryMapping {
  readonly gpa: number;
  readonly size: number;
  readonly fileOffset: number;
}

/** What `state.json` says about the guest's memory. */
export interface MemoryState {
  readonly ranges: readonly MemoryRange[];
  readonly mappings: readonly MemoryMapping[];
}

// Each device's state is a string of JSON inside the JSON: the table stands there with escaped quotes.
const RANGE_TABLE = /\\"memory_ranges\\":\{\\"data\\":\[[^\]]*\]\}/gu;
const EMPTY_TABLE = String.raw`\"memory_ranges\":{\"data\":[]}`;

/** Reads the memory tables of `state.json`; undefined where they do not look as expected. */
export function readMemoryState(text: string): MemoryState | undefined {
  try {
    // Only structure is used of the outer object; all numbers are inside strings, of which one is parsed.
    const outer = JSON.parse(text) as {
      snapshots: Record<string, { snapshot_data: { state: string } }>;
    };
    const inner: unknown = JSON.parse(outer.snapshots["memory-manager"]?.snapshot_data.state ?? "");
    return parseTables(inner as Tables);
  } catch {
    return undefined;
  }
}

interface Tables {
  readonly memory_ranges: { readonly data: readonly { gpa: unknown; length: unknown }[] };
  readonly guest_ram_mappings: readonly {
    gpa: unknown;
    size: unknown;
    file_offset: unknown;
    virtio_mem: unknown;
  }[];
}

function parseTables(tables: Tables): MemoryState {
  return {
    ranges: tables.memory_ranges.data.map(({ gpa, length }) => ({
      gpa: exact(gpa),
      length: exact(length),
    })),
    mappings: tables.guest_ram_mappings.map((mapping) => {
      if (mapping.virtio_mem !== false) throw new TypeError("memory that can grow");
      return {
        gpa: exact(mapping.gpa),
        size: exact(mapping.size),
        fileOffset: exact(mapping.file_offset),
      };
    }),
  };
}

function exact(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new TypeError("no length or address");
  return value;
}

/** Whether `memory-ranges`, written by this table, has every byte where the zone's file would have it. */
export function rangesMatchFile(state: MemoryState, bytes: number): boolean {
  if (state.ranges.length !== state.mappings.length) return false;
  let offset = 0;
  for (const range of state.ranges) {
    const mapping = state.mappings.find(({ gpa }) => gpa === range.gpa);
    if (mapping?.size !== range.length || mapping.fileOffset !== offset) return false;
    offset += range.length;
  }
  return offset === bytes;
}

/**
 * `state.json` with an empty range table, so that a restore copies nothing and takes memory from the zone's file. Everything else stays byte for byte:
 * it holds 64-bit numbers that JavaScript would round.
 */
export function emptyRangeTable(text: string): string {
  const found = text.match(RANGE_TABLE) ?? [];
  const result = text.replace(RANGE_TABLE, EMPTY_TABLE);
  if (found.length !== 1 || readMemoryState(result)?.ranges.length !== 0) {
    throw new VirgaError(
      "SNAPSHOT_FAILED",
      "Cannot make the snapshot mappable: state.json holds its memory table in an unknown form",
      {
        details: { tables: found.length },
      },
    );
  }
  return result;
}
